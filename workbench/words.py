"""Counts and sizes as a person reads them, for log, steps, views and reports alike."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["count", "times"]


def count(n: int, one: str, many: str = "") -> str:
    """Write a count with its noun: ``1 case``, ``1,440 slices``.

    Parameters
    ----------
    n : int
        How many.
    one, many : str
        The noun for one and for several; ``one`` with an s if `many` is left out.
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def times(shape: Iterable[int]) -> str:
    """Write a size: ``64×64``."""
    return "×".join(map(str, shape))
