"""Numbers as a person reads them."""

from __future__ import annotations

from workbench.words import count

__all__ = ["count", "duration", "number", "percent"]


def percent(part: int, whole: int) -> str:
    """Write a share with the digits it deserves: ``2.5 %``, ``38 %``."""
    if whole <= 0:
        return "0 %"
    share = 100.0 * part / whole
    return f"{share:.0f} %" if share >= 10 or part == 0 else f"{share:.1f} %"


def duration(seconds: float) -> str:
    """Write a time left coarsely, as a guess deserves: ``8 s``, ``about 2 min``."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 90:
        return f"{round(seconds)} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def number(value: float) -> str:
    """Write a measured value with three significant digits."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.3g}"
