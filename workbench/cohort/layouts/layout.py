"""What a layout is: how the files of a data set are named, and how to find them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.cohort.cohort import Cohort

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """One way to name the files of a data set.

    Parameters
    ----------
    name : str
        What it is called, also by ``--layout``.
    looked_for : str
        The names that it is recognized by, as they are told to a user.
    find : callable
        Takes the folder; gives its cohort, or None if the folder has another layout. A cohort
        without cases, but with problems, looks like this layout and cannot be used. Only names
        (and small text files) are read; ``Cohort.reason`` says why it was recognized. Labels
        that nothing declares are left empty: they are read from the label maps afterwards.
        Where a layout knows several tasks it lists them in ``Cohort.tasks``, its own first.
    """

    name: str
    looked_for: str
    find: Callable[[Path], Cohort | None]
