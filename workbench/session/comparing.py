"""Comparing: what others have made of the slice on the canvas, and how far it differs.

Their label maps are read when a slice is opened, and when the ledger brought news
of them; a stroke only counts pixels. Of several people's answers "done" training
uses the last one (`Ledger.accepted`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.entry import UNOPENED
from workbench.annotation.history import Part
from workbench.errors import LedgerError
from workbench.experiments.config import RunConfig
from workbench.session.restoring import RestoringSession
from workbench.words import count

__all__ = ["ComparingSession", "Other"]


@dataclass(frozen=True, eq=False)
class Other:
    """What somebody else has done on a slice, or on others of its volume.

    Parameters
    ----------
    name : str
        Who; untrusted text.
    answer : {"", "done", "unsure", "skipped"}
        The last answer for this slice.
    classes : ndarray of uint8, shape (h, w), optional
        What was answered; None where there is nothing to compare with.
    here : bool
        Whether it was this slice.
    opened : bool
        Whether this slice was opened; else it was accepted with its volume.
    drawn : bool
        Whether it was drawn on since it was answered.
    """

    name: str
    answer: str = ""
    classes: NDArray[np.uint8] | None = None
    here: bool = True
    opened: bool = True
    drawn: bool = False

    def told(self, classes: NDArray[np.uint8] | None) -> str:
        """Tell it in a sentence, compared with what is on the canvas; None: nothing is yet."""
        if not self.here:
            return f"{self.name} worked on other slices of it."
        if not self.answer:
            return f"{self.name} has begun to draw on it."
        told = f"{self.name} answered {self.answer}"
        if not self.opened:
            told += " without opening it"
        if classes is not None and self.classes is not None:
            differ = int(np.count_nonzero(classes != self.classes))
            told += f": {count(differ, 'pixel differs', 'pixels differ') if differ else 'the same'}"
        return f"{told}, and has drawn on it since." if self.drawn else f"{told}."


class ComparingSession(RestoringSession):
    """A session that knows what others have made of what is drawn on."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._others: tuple[Other, ...] = ()
        #: The work that these tell of: slice, annotator, what the others did on its sample.
        self._others_of: tuple[str, int, str, tuple[Part, ...]] | None = None

    def _told_of_others(self) -> str:
        """Tell of everybody else who has worked on what is on the canvas."""
        drawn = None if self._drawing is None or self._awaited else self._drawing.classes
        return " ".join(other.told(drawn) for other in self._others)

    def _read_others(self) -> None:
        """Read what others have made of the slice on the canvas, if that is not known yet."""
        assert self._drawing is not None
        entry = self._drawing.entry
        known = self._known.get(self._row_of[entry.sample])
        theirs = tuple(
            part
            for part in (known.parts if known else ())
            if part.annotator != entry.annotator and (part.strokes or part.answer)
        )
        work = (entry.sample, entry.depth, entry.annotator, theirs)
        if work != self._others_of:
            names = dict.fromkeys(part.annotator for part in theirs)
            self._others = tuple(self._other(name, entry.depth, theirs) for name in names)
            self._others_of = work

    def _other(self, name: str, depth: int, parts: Sequence[Part]) -> Other:
        part = next((each for each in parts if (each.annotator, each.depth) == (name, depth)), None)
        if part is None:
            return Other(name, here=False)
        drawn = part.drawn > part.answered
        if part.answer not in ("done", "unsure"):
            return Other(name, part.answer, drawn=drawn)
        assert self._writer.ledger is not None
        try:
            entry = self._writer.ledger.read(part.answered)
        except LedgerError as error:  # what is damaged is told; it keeps nobody from drawing
            self._note(str(error))
            return Other(name, part.answer, drawn=drawn)
        return Other(name, part.answer, entry.classes, opened=entry.note != UNOPENED, drawn=drawn)

    def _follow_news(self) -> None:
        if self.editing is None or self._drawing is None:
            return
        self._read_others()
        told = self._told_of_others()
        if told != self.editing.others:
            self.editing = replace(self.editing, others=told)
