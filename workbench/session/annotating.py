"""Annotating: a person draws, and what is drawn is in the ledger before it is shown.

A slice opens with the model's prediction, with what was last saved, or empty.
Every stroke is an entry of ``annotations.sqlite`` in the run's folder; a kernel
that is killed loses at most the stroke being drawn. An answer takes the slice
out of the queue: "done" labels it, whoever gave it and from whichever process;
"unsure" and "skipped" set it aside until the next round, and what is skipped as
unusable for ever. Slices on which two people draw are told, and kept apart.
"""

from __future__ import annotations

import getpass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traitlets import TraitError, observe, validate

from workbench.annotation.entry import clean_name
from workbench.errors import LedgerError
from workbench.experiments.config import RunConfig
from workbench.session.drawing import Drawing, Writer
from workbench.session.learning import LearningSession
from workbench.session.tasks import Effort

__all__ = ["UNUSABLE", "AnnotatingSession"]

#: A reason to skip that begins with this word takes the slice out of the pool.
UNUSABLE = "unusable"


class AnnotatingSession(LearningSession):
    """A session in which a person draws."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._writer: Writer | None = None
        self._drawing: Drawing | None = None
        self._effort = Effort()
        self._asked: tuple[int, ...] = ()
        try:
            self.annotator = getpass.getuser()
        except (OSError, KeyError, TraitError):
            self.annotator = "annotator"

    # ------------------------------------------------------------ who
    @validate("annotator")
    def _clean_annotator(self, proposal: Any) -> str:
        """Keep the name as the ledger does; one that it does not take is refused in a sentence."""
        try:
            name = clean_name(proposal["value"])
            if not name:
                raise LedgerError("The annotator has no name. Give one, such as your initials.")
        except LedgerError as error:
            self._refuse(error)
            return str(self.annotator)
        return name

    @observe("annotator")
    def _change_hands(self, change: Any) -> None:
        if self.editing is not None:
            self.edit(self.editing.row, self.editing.depth)

    # ------------------------------------------------------------ drawing
    def edit(self, row: int, depth: int | None = None, start: str | None = None) -> None:
        """Put a slice on the canvas.

        Parameters
        ----------
        row : int
            Row of the pool; it need not be suggested.
        depth : int, optional
            Slice of a volume, from 0; the middle one of those that are not blank if not given.
        start : {"prediction", "annotation", "empty"}, optional
            What to begin with. If not given, the person's own drawing with all that can be
            undone; without one, what was last saved by anybody; else the model's prediction;
            else nothing.
        """

    def draw(
        self,
        classes: NDArray[np.uint8],
        *,
        tool: str = "",
        active_seconds: float = 0.0,
        contour_mm: float = 0.0,
    ) -> None:
        """Take one stroke: it is saved, then shown.

        Parameters
        ----------
        classes : ndarray of uint8, shape (h, w)
            The whole label map after the stroke.
        tool : str
            What was drawn with, such as "brush".
        active_seconds : float
            Time of work since the stroke before, idle time excluded.
        contour_mm : float
            Length of the contour drawn, mm.
        """

    def undo(self) -> None:
        """Take back the last stroke; without limit, also after a restart."""

    def redo(self) -> None:
        """Draw again what was taken back."""

    def answer(self, kind: str, note: str = "") -> None:
        """Say what becomes of the slice on the canvas, or the volume.

        Parameters
        ----------
        kind : {"done", "unsure", "skipped"}
            "done" labels it; the others set it aside for this round.
        note : str
            Why it is skipped: needed there. A reason that begins with "unusable" takes the
            slice out of the pool for good; one skipped otherwise may be suggested again later.
        """

    def turn(self, step: int) -> None:
        """Go to the next open task of the queue (1), or the previous one (-1)."""

    def apply_tool(self, name: str, **parameters: Any) -> None:
        """Draw with a tool that is computed here, such as superpixels.

        Parameters
        ----------
        name : str
            A key of `workbench.annotation.tools.TOOLS`, whose values take a `Canvas` and the
            parameters, and return the label map.
        **parameters
            Of the tool; ``active_seconds`` and ``contour_mm`` are those of `draw`.
        """

    def catch_up(self) -> None:
        """Take in what others have written to the ledger since; cheap where there is nothing."""
