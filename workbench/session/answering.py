"""Answering: a slice, or a whole volume, is done, or put aside.

What an answer leads to is told in `workbench.session.queue`.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.annotation import Entry
from workbench.annotation.entry import ANSWERS, UNOPENED
from workbench.errors import LedgerError
from workbench.session.annotating import AnnotatingSession
from workbench.session.drawing import Drawing

__all__ = ["AnsweringSession"]

#: Why a volume is not done yet.
NOT_DONE = (
    "Slices that were not opened count as predicted, and the model is still predicting them. "
    "Answer again in a moment."
)


class AnsweringSession(AnnotatingSession):
    """A session in which what is drawn is answered."""

    def answer(self, kind: str, note: str = "", active_seconds: float = 0.0) -> None:
        """Say what becomes of the slice on the canvas, or of its whole volume.

        Of a volume that is done every slice is answered: one that was never opened is taken as it
        would have been opened, and the ledger says so. While its prediction is awaited it can be
        put aside all the same: such an answer needs no label map.

        Parameters
        ----------
        kind : {"done", "unsure", "skipped"}
            "done" labels it; the others set it aside for this round.
        note : str
            Why it is skipped: needed there. A reason that begins with "unusable" takes the
            slice out of the pool for good; what is skipped otherwise may be suggested later.
        active_seconds : float
            Time of work since the last stroke, idle time excluded.
        """
        with self._background.lock:
            drawing = self._on_canvas(unseen=kind in ("unsure", "skipped"))
            if drawing is None:
                return
            if kind not in ANSWERS:
                self._refuse(f"An answer is one of {', '.join(ANSWERS)}, not {kind!r}.")
                return
            if kind == "skipped" and not note.strip():
                self._refuse("Say why it is skipped: the reason is kept with it.")
                return
            try:
                answered = self._answered(drawing, kind, note)
                answered = replace(answered, active_seconds=active_seconds)
                self._writer.check(answered)
                done = kind == "done"
                others = self._other_slices(drawing) if done else self._withdrawn(answered)
                if others is None:
                    self._refuse(NOT_DONE)
                    return
                problem = self._keep(*others, answered)
            except LedgerError as error:
                self._refuse(error)
                return
            self.catch_up()
            self._show(problem)

    def _answered(self, drawing: Drawing, kind: str, note: str) -> Entry:
        """The answer with the label map of the canvas.

        Where that is still awaited, with what this person drew before; with none if nothing.
        """
        if not self._awaited:
            return drawing.answer(kind, note)
        entry = drawing.entry
        before = self._drawn_here(self._row_of[entry.sample], entry.depth)
        unseen = replace(entry, kind=kind, classes=None, note=note)
        return unseen if before is None else before.answer(kind, note)

    def _drawn_here(self, row: int, depth: int) -> Drawing | None:
        """What this person drew on a slice, saved or not."""
        key = (row, depth, self.annotator)
        return self._unsaved.get(key) or self._drawn_before(*key)

    def _other_slices(self, drawing: Drawing) -> list[Entry] | None:
        """Answers "done" for all other slices of the volume on the canvas.

        None while what they would be taken as is still predicted.
        """
        assert self.editing is not None
        row, first, last = self.editing.row, *self.editing.filled
        entries = []
        for depth in range(self._depths):
            if depth == drawing.entry.depth:
                continue
            before = self._drawn_here(row, depth)
            if before is not None:
                entries.append(before.answer("done", ""))
                continue
            start = "annotation" if row in self._unpredictable else None
            if not first <= depth <= last:
                start = "empty"
            beginning = self._beginning(row, depth, start)
            if beginning is None:
                return None
            started_from, classes = beginning
            entry = replace(drawing.entry, kind="done", depth=depth, started_from=started_from)
            entries.append(replace(entry, classes=classes, note=UNOPENED))
        return entries

    def _withdrawn(self, answered: Entry) -> list[Entry]:
        """The same answer for all other slices of the volume that this person has done."""
        row, entries = self._row_of[answered.sample], []
        for depth in sorted(self._done_slices(row) - {answered.depth}):
            before = self._drawn_here(row, depth)
            if before is not None:
                entries.append(before.answer(answered.kind, answered.note))
        return entries

    def _done_slices(self, row: int) -> set[int]:
        """Depths of a volume that this person answered "done", saved or not."""
        sample = str(self.pool.ids[row])
        waiting = {
            entry.depth
            for entry in self._writer.waiting
            if (entry.sample, entry.annotator, entry.kind) == (sample, self.annotator, "done")
        }
        return waiting | {part.depth for part in self._parts_of(row) if part.done}
