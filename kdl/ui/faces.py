"""The interface that jobs and verbs speak to, and its quiet and JSON faces."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from types import TracebackType
from typing import IO, Self

from rich.console import Console, RenderableType

from kdl import events
from kdl.errors import KdlError
from kdl.ui.consoles import console_on
from kdl.ui.errors import error_summary, print_error
from kdl.ui.summary import render_findings, render_summary
from kdl.values import RunSummary


class UI(ABC):
    """One face of a run. :meth:`listen` may be called from any thread; the rest from one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Puts the terminal back as it was, however the run ended."""

    @abstractmethod
    def listen(self, event: events.Event) -> None:
        """Takes in one event; quick, and never raises for want of a terminal."""

    @abstractmethod
    def show(self, renderable: RenderableType) -> None:
        """Puts a verb's own table where people read."""

    @abstractmethod
    def finish(self, summary: RunSummary) -> None:
        """Says how it ended."""

    @abstractmethod
    def fail(self, error: KdlError, *, dataset: str = "", elapsed_s: float = 0.0) -> None:
        """Says why it ended, in :meth:`finish`'s place."""


class HumanUI(UI):
    """What the faces for people share: results on ``out``, errors on ``err``."""

    def __init__(self, out: IO[str], err: IO[str]) -> None:
        self._console: Console = console_on(out)
        self._err = err

    def close(self) -> None:
        """Nothing to put back, where nothing is drawn."""

    def show(self, renderable: RenderableType) -> None:
        self._console.print(renderable)

    def finish(self, summary: RunSummary) -> None:
        if summary.findings:
            self._console.print(render_findings(summary), soft_wrap=True)
            self._console.print()
        self._console.print(render_summary(summary))

    def fail(self, error: KdlError, *, dataset: str = "", elapsed_s: float = 0.0) -> None:
        print_error(error, self._err)


class QuietUI(HumanUI):
    """Nothing but the findings at the end, and errors: both on stderr."""

    def __init__(self, err: IO[str]) -> None:
        super().__init__(err, err)

    def listen(self, event: events.Event) -> None:
        pass

    def show(self, renderable: RenderableType) -> None:
        pass

    def finish(self, summary: RunSummary) -> None:
        if summary.findings:
            self._console.print(render_findings(summary), soft_wrap=True)


class JsonUI(UI):
    """One object on ``out`` at the end, of a run or of an error; ``human`` gets the lines for people."""

    def __init__(self, out: IO[str], human: UI | None) -> None:
        self._out = out
        self._human = human

    def close(self) -> None:
        if self._human:
            self._human.close()

    def listen(self, event: events.Event) -> None:
        if self._human:
            self._human.listen(event)

    def show(self, renderable: RenderableType) -> None:
        if self._human:
            self._human.show(renderable)

    def finish(self, summary: RunSummary) -> None:
        if self._human:
            self._human.finish(summary)
        self._print(summary)

    def fail(self, error: KdlError, *, dataset: str = "", elapsed_s: float = 0.0) -> None:
        if self._human:
            self._human.fail(error)
        self._print(error_summary(error, dataset=dataset, elapsed_s=elapsed_s))

    def _print(self, summary: RunSummary) -> None:
        self._out.write(json.dumps(summary.as_dict()) + "\n")
        self._out.flush()
