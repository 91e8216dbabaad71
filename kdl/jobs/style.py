"""How a mirror names its class folders: chosen once, kept in its ledger."""

from __future__ import annotations

from typing import cast

from kdl.dataset.labels import STYLES, Style
from kdl.errors import UsageError
from kdl.ledger.clips import set_meta
from kdl.ledger.ledger import Ledger

__all__ = ["Style", "settle_style", "style_of"]

_DEFAULT: Style = "mmaction2"


def style_of(ledger: Ledger) -> Style:
    """The style a mirror has; the default for a new one."""
    return cast(Style, ledger.meta("class_style") or _DEFAULT)


def settle_style(ledger: Ledger, asked: str | None) -> Style:
    """The style to use. Raises UsageError where the mirror has another than the one asked for."""
    known = ledger.meta("class_style")
    style = asked or known or _DEFAULT
    if style not in STYLES:
        raise UsageError(f"choose one of {', '.join(STYLES)}", subject=style)
    if known is not None and known != style:
        raise UsageError(
            f"this mirror names its class folders in the style {known}",
            subject=f"--class-style {style}",
            fix="leave --class-style out, or give another --root",
        )
    if known is None:
        ledger.write(lambda c: set_meta(c, "class_style", style)).result()
    return style
