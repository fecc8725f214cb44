"""Counts as a person reads them, for the log, the steps, the views and the reports alike."""

from __future__ import annotations

__all__ = ["count"]


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
