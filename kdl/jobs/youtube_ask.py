"""YouTube's part in the course of a run: all of its clips, or those that the shards lacked."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from kdl.fetch.limits import RateLimit
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.fetch.youtube import Videos
from kdl.jobs.course import Course
from kdl.jobs.deriving import DeriveStage, open_targets
from kdl.jobs.executors import TaskRunner
from kdl.jobs.inspection import Inspector
from kdl.jobs.listings import bring_annotations
from kdl.jobs.options import YOUTUBE
from kdl.jobs.youtube import YoutubeStage
from kdl.jobs.youtube_plan import youtube_plan
from kdl.jobs.youtube_report import tell_youtube


class Asking:
    """Asks for clips, and judges what comes."""

    def __init__(self, course: Course, videos: Videos, policy: RetryPolicy, rate: RateLimit) -> None:
        self._course = course
        self._videos = videos
        self._policy = policy
        self._rate = rate
        self._stage: YoutubeStage | None = None

    async def instead_of_shards(self, fetcher: Fetcher, runner: TaskRunner) -> None:
        """The whole run: the annotations, their clips, and what is made of them."""
        course, run, options = self._course, self._course.run, self._course.options
        splits = course.selection.splits
        here = await bring_annotations(run, fetcher, course.manifest, splits, course.style)
        await course.look_at_what_is_here()
        if not here:
            return
        targets = open_targets(run.paths, course.recipes, options.derived)
        plan = await run.in_thread(youtube_plan, course.manifest, options, course.selection, run.ledger)
        course.require_room(plan)
        for note in plan.notes:
            run.note(note)
        derives = course.derives(runner, targets)
        await course.to_the_end(derives, targets, partial(self.ask, course.inspector(runner), derives))

    async def ask(self, inspector: Inspector, derives: DeriveStage) -> None:
        """Ask for every clip that is lacking; in a run with shards, for those that no shard can bring."""
        course, options = self._course, self._course.options
        checks = course.checks(inspector, derives)
        alone = options.source == YOUTUBE
        self._stage = YoutubeStage(
            course.run,
            self._videos,
            options.youtube,
            course.scope,
            policy=self._policy,
            rate=self._rate,
            stall_s=options.stall_s,
            unhosted=not alone,
            again=options.retry_failed,
            limit=options.choice.limit if alone else None,
            on_arrival=checks.wake,
        )
        await course.checked(checks, self._stage.work)

    @property
    def written(self) -> int:
        """Bytes of clips."""
        return self._stage.written if self._stage else 0

    async def result(self) -> dict[str, Any]:
        """Its part of the run's result, which findings and reports tell as well; empty if it has none."""
        if self._stage is None:
            return {}
        course = self._course
        tell = partial(tell_youtube, strict=course.options.strict)
        await asyncio.to_thread(tell, course.run, course.scope, self._stage.came)
        return {"youtube": self._stage.result()}
