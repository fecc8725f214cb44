"""What there is to annotate, in what state, and by whom: values that views show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.annotation import Entry

__all__ = ["Cost", "Editing", "Task", "TaskState"]

TaskState = Literal["suggested", "in progress", "done", "unsure", "skipped"]


@dataclass(frozen=True)
class Task:
    """One slice, or volume, of the queue.

    Parameters
    ----------
    row : int
        Row of the pool.
    state : str
        "suggested", "in progress", "done", "unsure" or "skipped".
    annotators : tuple of str
        Who has drawn or answered, in the order in which they began.
    seconds : float
        Their active time together.
    note : str
        The reason of "skipped", or what was noted with an answer.
    differs : bool
        Whether several people answered it differently.
    """

    row: int
    state: TaskState
    annotators: tuple[str, ...] = ()
    seconds: float = 0.0
    note: str = ""
    differs: bool = False

    @property
    def open(self) -> bool:
        """Whether nobody has answered yet."""
        return self.state in ("suggested", "in progress")


@dataclass(frozen=True)
class Cost:
    """What the annotation of one slice, or volume, has cost its annotator so far.

    Parameters
    ----------
    changed_pixels : int
        Pixels of the shown slice that differ from what it started from.
    strokes : int
        Strokes drawn, also those undone since.
    contour_mm : float
        Length of the contours drawn, mm.
    active_seconds : float
        Time of work, idle time excluded.
    slices_opened : int
        Slices that were opened; 1 unless it is a volume.
    """

    changed_pixels: int = 0
    strokes: int = 0
    contour_mm: float = 0.0
    active_seconds: float = 0.0
    slices_opened: int = 0

    def after(self, entry: Entry) -> Cost:
        """Return the cost with one more entry of the ledger; pixels are not counted anew."""
        return replace(
            self,
            strokes=self.strokes + (entry.kind == "stroke"),
            contour_mm=self.contour_mm + entry.contour_mm,
            active_seconds=self.active_seconds + entry.active_seconds,
            slices_opened=self.slices_opened + (entry.kind == "opened"),
        )


@dataclass(frozen=True, eq=False)
class Editing:
    """What is on the canvas now; replaced whole at every change.

    Parameters
    ----------
    row : int
        Row of the pool.
    sample : str
        Its name.
    depth, depths : int
        Slice of a volume, counted in the stored volume, and how many there are; 0 and 1 for a
        slice.
    filled : tuple of int
        First and last slice of a volume that is not blank padding; (0, 0) for a slice.
    classes : ndarray of uint8, shape (h, w)
        The label map as it is drawn, read-only.
    started_from : str
        "prediction", "annotation", "empty" or "mask".
    can_undo, can_redo : bool
        Whether there is anything to undo, or to redo.
    cost : Cost
        What it has cost so far.
    saved : bool
        Whether everything drawn is in the ledger.
    number : int
        Number of the ledger's latest entry of this person; a higher one is newer.
    words : str
        What the person should know, such as why it is not saved.
    others : str
        What others have made of it: what they answered, and how many pixels differ.
    awaited : str
        Why nothing can be drawn yet: what it is to begin with is still predicted, or could not
        be; empty if it can be drawn on.
    """

    row: int
    sample: str
    depth: int
    depths: int
    filled: tuple[int, int]
    classes: NDArray[np.uint8]
    started_from: str
    can_undo: bool
    can_redo: bool
    cost: Cost
    saved: bool = True
    number: int = 0
    words: str = ""
    others: str = ""
    awaited: str = ""

    @property
    def strokes(self) -> int:
        """Strokes drawn."""
        return self.cost.strokes

    @property
    def active_seconds(self) -> float:
        """Time of work, idle time excluded."""
        return self.cost.active_seconds
