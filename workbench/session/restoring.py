"""What a person drew, as the ledger holds it: restored with all that can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import dropwhile

import numpy as np
from numpy.typing import NDArray

from workbench.annotation import Entry
from workbench.annotation.history import Part
from workbench.errors import LedgerError
from workbench.experiments.config import RunConfig
from workbench.session.drawing import Drawing
from workbench.session.predicting import PredictingSession

__all__ = ["RestoringSession"]


class RestoringSession(PredictingSession):
    """A session that goes on with what was drawn before, here or in another kernel."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._drawing: Drawing | None = None
        #: Why the canvas cannot be drawn on yet; empty if it can.
        self._awaited = ""
        #: Drawings of which something could not be saved yet.
        self._unsaved: dict[tuple[int, int, str], Drawing] = {}

    def _drawn_before(self, row: int, depth: int, annotator: str) -> Drawing | None:
        """Restore what one person drew on a slice, with all that can be undone.

        A slice that was only opened, in an earlier round, begins anew: with what is known now.
        """
        ledger = self._writer.ledger
        if ledger is None:
            return None
        sample = str(self.pool.ids[row])
        history = ledger.history(sample, depth, annotator)
        part = history.part
        if history.classes is None or part is None:
            return None
        if not part.strokes and not part.answer and part.round < self._asking:
            return None
        begun = _beginning_of(ledger.entries(sample, depth, annotator, maps=False))
        entry = Entry(
            sample, "opened", depth=depth, annotator=annotator, started_from=begun.started_from
        )
        older = [number for number in history.undo if number < begun.number]
        undo = list(history.undo[len(older) :])
        if older and (self._read_map(older[-1]) == self._read_map(begun.number)).all():
            undo = [older[-1], *undo]  # it began anew with the same map
        states: list[int | NDArray[np.uint8]] = [*undo, history.classes, *history.redo[::-1]]
        return Drawing(entry, states, len(undo), self._read_map, part.number)

    def _drawn_elsewhere(self) -> Drawing | None:
        """Read the drawing on the canvas again, if another kernel added to it; else None."""
        drawing, here, ledger = self._drawing, self.editing, self._writer.ledger
        if drawing is None or here is None or ledger is None or self._writer.waiting:
            return None
        entry = drawing.entry
        own = entry.sample, entry.depth, entry.annotator
        try:
            if not ledger.entries(*own, after=drawing.number, maps=False):
                return None
            return self._drawn_before(here.row, entry.depth, entry.annotator)
        except LedgerError as error:
            self._refuse(error)
            return None

    def _parts_of(self, row: int) -> list[Part]:
        """What this person did on the slices of a row, as far as it was taken in."""
        parts = self._known[row].parts if row in self._known else ()
        return [part for part in parts if part.annotator == self.annotator]

    def _left_open(self) -> tuple[int, int] | None:
        """Row and depth of this person's last stroke, if that is not answered yet."""
        drawn = [
            (part.drawn, row, part.depth)
            for row in self._known
            for part in self._parts_of(row)
            if part.strokes
        ]
        if not drawn:
            return None
        _, row, depth = max(drawn)
        return (row, depth) if self._known[row].state == "in progress" else None


def _beginning_of(entries: Iterable[Entry]) -> Entry:
    """The entry with which the work began: opened last before anything was drawn, or answered.

    Opened again in a later round, a slice began with what was predicted then. Put aside before it
    was opened, it had not begun.
    """
    begun: Entry | None = None
    for entry in dropwhile(lambda each: each.kind in ("unsure", "skipped"), entries):
        if begun is not None and entry.kind != "opened":
            break
        if begun is None or entry.round > begun.round:
            begun = entry
    assert begun is not None
    return begun
