"""Annotating: a person draws, and what is drawn is in the ledger before it is shown.

A slice opens with the model's prediction, with what was last saved, or empty.
Every stroke is an entry of ``annotations.sqlite`` in the run's folder; a kernel
that is killed loses at most the stroke being drawn. What an answer leads to is
told in `workbench.session.answering` and `workbench.session.queue`.
"""

from __future__ import annotations

import getpass
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traitlets import TraitError, observe, validate

from workbench.annotation import Entry
from workbench.annotation.effort import stroke_mm
from workbench.annotation.entry import annotator_name
from workbench.errors import LedgerError
from workbench.experiments.config import RunConfig
from workbench.session.comparing import ComparingSession
from workbench.session.drawing import Drawing
from workbench.session.tasks import Editing

__all__ = ["AnnotatingSession"]

#: What an annotation can be told to begin with.
STARTS = ("prediction", "annotation", "empty")
#: What is said while a volume is predicted.
AWAITED = "The model is predicting this {noun}; what it predicts will be here to correct."
#: What is said where another kernel drew on the same slice under the same name.
ELSEWHERE = (
    "This slice was drawn on elsewhere under your name {name}; it is shown now as it is there. "
    "Look at it, then do again what you wanted."
)
JOINED = "This slice was drawn on elsewhere under your name {name}; both drawings are here now."


class AnnotatingSession(ComparingSession):
    """A session in which a person draws."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        #: What the canvas was told to begin with.
        self._begin_with: str | None = None
        try:
            self.annotator = getpass.getuser()
        except (OSError, KeyError, TraitError):
            self.annotator = "annotator"

    # ------------------------------------------------------------ who
    @validate("annotator")
    def _clean_annotator(self, proposal: Any) -> str:
        """Keep the name as the ledger does; one that it does not take is refused in a sentence."""
        try:
            return annotator_name(proposal["value"])
        except LedgerError as error:
            self._refuse(error)
            return str(self.annotator)

    @observe("annotator")
    def _change_hands(self, change: Any) -> None:
        if self.editing is not None:
            self.edit(self.editing.row, self.editing.depth)

    # ------------------------------------------------------------ the canvas
    def _follow_save(self) -> None:
        if self._writer.waiting:
            return
        for drawing in self._unsaved.values():  # what waited was saved just now
            drawing.number = self._writer.number
        self._unsaved.clear()
        if self.editing is not None and not self.editing.saved:
            self._show("")

    def edit(self, row: int, depth: int | None = None, start: str | None = None) -> None:
        """Put a slice on the canvas.

        Where it begins with the prediction of a volume that is not known yet, that is computed
        in the background: until then ``editing.awaited`` says so, and nothing can be drawn,
        unless it is told to start from "empty".

        Parameters
        ----------
        row : int
            Row of the pool; it need not be suggested.
        depth : int, optional
            Slice of a volume, counted in the stored volume from 0; the middle one of those that
            are not blank if not given.
        start : {"prediction", "annotation", "empty"}, optional
            What to begin with. If not given, the person's own drawing with all that can be
            undone; without one, what anybody last answered "done"; else the model's prediction;
            else nothing. If given, what there was can be undone to.
        """
        self._background.drain()
        with self._background.lock:
            why_not = self._why_not(row, depth, start)
            if why_not:
                self._refuse(why_not)
                return
            self.problem = ""
            self.catch_up()
            filled = self._filled(row)
            if depth is None:
                depth = (filled[0] + filled[1]) // 2
            try:
                problem = self._put_on_canvas(row, depth, start)
            except LedgerError as error:
                self._refuse(error)
                return
            self.current = row
            self._show(problem)

    def _go_back_to_canvas(self) -> None:
        """Put the slice on the canvas again that this person was drawing, if it is still open."""
        left = self._left_open()
        if left is not None:
            self.edit(*left)

    def turn(self, step: int) -> None:
        """Go to the next task that is open (1), or to the one before in the queue (-1)."""
        rows = [task.row for task in self.queue]
        here = rows.index(self.editing.row) if self.editing and self.editing.row in rows else -1
        if step > 0:
            later = [*self.queue[here + 1 :], *self.queue[: here + 1]]
            found = [task.row for task in later if task.open]
        else:
            found = rows[:here][::-1] if here >= 0 else rows[::-1]
        if found:
            self.edit(found[0])
        else:
            self._note("Every task of this round is answered." if step > 0 else "The first task.")

    def _why_not(self, row: int, depth: int | None, start: str | None) -> str:
        """Why a slice cannot be put on the canvas; empty if it can."""
        if self.data is None:
            return "There are no images yet. Open the cohort first."
        if not 0 <= row < len(self.pool):
            return f"There is no row {row}; the pool has rows 0 to {len(self.pool) - 1}."
        if len(self.labels.classes) < 2:
            return (
                "It is not known what is to be drawn: no label file tells the classes. Name them "
                'when the session is made, for example labels={"1": "tumor"}.'
            )
        depths = self._depths
        if depth is not None and not 0 <= depth < depths:
            return f"There is no slice {depth} of row {row}; it has slices 0 to {depths - 1}."
        if start is not None and start not in STARTS:
            return f"An annotation starts from one of {', '.join(STARTS)}, not from {start!r}."
        if start == "prediction" and not self.predicts:
            why = self.only_look or "The first round has not been run yet."
            return f"There is no prediction. {why} Start from empty."
        return ""

    def _put_on_canvas(self, row: int, depth: int, start: str | None) -> str:
        """Restore or begin the drawing of a slice; return what could not be saved, or nothing.

        Raises
        ------
        LedgerError
            If the ledger cannot be read.
        """
        key = (row, depth, self.annotator)
        problem = self._writer.save()
        drawing = self._unsaved.get(key) or self._drawn_before(*key)
        if drawing is not None and start is None:
            if self._depths > 1 and self.predicts:
                self._prediction(row)  # "done" will need it for the slices that were not opened
            self._drawing, self._awaited = drawing, ""
            return problem
        beginning = self._beginning(row, depth, start)
        awaited = "" if beginning else AWAITED.format(noun=self.noun)
        started_from, classes = beginning or ("prediction", self._nothing())
        if drawing is None or awaited:
            sample = str(self.pool.ids[row])
            entry = Entry(sample, "opened", classes, depth, self.annotator)
            entry = replace(entry, started_from=started_from)
            self._writer.check(entry)
            drawing = Drawing(entry, [classes], 0, self._read_map)
        else:
            entry = drawing.begin(classes, started_from)
        self._drawing, self._awaited, self._begin_with = drawing, awaited, start
        return problem if awaited else self._keep(entry)

    def _follow_prediction(self) -> None:
        here = self.editing
        if here is None or not here.awaited:
            return
        problem = ""
        if here.row in self._unpredictable:
            self._awaited = f"There is no prediction. {self._unpredictable[here.row]}"
        else:
            self.catch_up()
            try:
                problem = self._put_on_canvas(here.row, here.depth, self._begin_with)
            except LedgerError as error:
                self._refuse(error)
                return
        self._show(problem)

    # ------------------------------------------------------------ drawing
    def draw(
        self,
        classes: NDArray[np.uint8],
        *,
        before: NDArray[np.uint8] | None = None,
        tool: str = "",
        active_seconds: float = 0.0,
        contour_mm: float | None = None,
    ) -> None:
        """Take one stroke: it is saved, then shown.

        What cannot be saved (a full disk) is shown all the same, with the reason in
        ``editing.words``, and saved with the next stroke.

        Parameters
        ----------
        classes : ndarray of uint8, shape (h, w)
            The whole label map after the stroke.
        before : ndarray of uint8, shape (h, w), optional
            The one that it was drawn upon. If given, only the pixels that differ are taken over,
            so that what was drawn in another browser or kernel meanwhile stays; if not, a stroke
            is refused where another kernel has drawn meanwhile.
        tool : str
            What was drawn with, such as "brush".
        active_seconds : float
            Time of work since the stroke before, idle time excluded.
        contour_mm : float, optional
            Length of the contour drawn, mm; measured by `effort.stroke_mm` where it is not given.
        """
        with self._background.lock:
            was = self._drawing
            drawing = self._on_canvas(join=before is not None)
            if drawing is None:
                return
            now = drawing.classes
            given, upon = np.asarray(classes), now if before is None else np.asarray(before)
            for each in (given, upon):
                if each.shape != now.shape or each.dtype != np.uint8:
                    self._refuse(
                        f"A label map of the shape {each.shape} and the type {each.dtype} was "
                        f"drawn. It must be uint8 of the shape {now.shape}, as the slice is."
                    )
                    return
            given = np.where(given != upon, given, now)
            assert self.editing is not None
            if contour_mm is None:
                contour_mm = stroke_mm(now, given, self._spacing(self.editing.row))
            told: Any = {"tool": tool, "active_seconds": active_seconds, "contour_mm": contour_mm}
            try:
                self._writer.check(replace(drawing.entry, kind="stroke", classes=given, **told))
            except LedgerError as error:
                self._refuse(error)
                return
            entry = drawing.stroke(given, tool, active_seconds, contour_mm)
            self._step(entry, joined=drawing is not was)

    def _spacing(self, row: int) -> tuple[float, float]:
        """Size of a pixel of a slice as it is displayed, (row, column), mm."""
        _, height, width = self.images.spacing[int(self.pool.case_of[row])]
        return float(height), float(width)

    def undo(self) -> None:
        """Take back the last stroke; without limit, also after a restart."""
        with self._background.lock:
            drawing = self._on_canvas()
            if drawing is not None and drawing.can_undo:
                self._step(drawing.undo())

    def redo(self) -> None:
        """Draw again what was taken back."""
        with self._background.lock:
            drawing = self._on_canvas()
            if drawing is not None and drawing.can_redo:
                self._step(drawing.redo())

    # ------------------------------------------------------------ parts of it
    def _on_canvas(self, join: bool = False, unseen: bool = False) -> Drawing | None:
        """Return what is drawn on; refuse where there is nothing, or it is still awaited.

        Where another kernel drew on it, that is shown, and only who wants to join in goes on.
        What is awaited is returned only to who needs not see it.
        """
        if self.editing is None or self._drawing is None:
            self._refuse("There is nothing on the canvas. Choose a task of the queue first.")
            return None
        if self.editing.awaited and not unseen:
            self._refuse(f"{self.editing.awaited} To draw without it, start from empty.")
            return None
        elsewhere = None if self.editing.awaited else self._drawn_elsewhere()
        if elsewhere is not None:
            self._drawing = elsewhere
            if not join:
                words = ELSEWHERE.format(name=self.annotator)
                self._refuse(words)
                self._show("", words=words)
                return None
        self.problem = ""
        return self._drawing

    def _keep(self, *entries: Entry) -> str:
        """Save entries of the canvas; return what could not be saved, or nothing."""
        drawing = self._drawing
        assert drawing is not None
        problem = self._writer.append(*(replace(each, round=self._booked) for each in entries))
        row = self._row_of[drawing.entry.sample]
        if problem:
            if not self._awaited:  # then nothing was drawn
                self._unsaved[row, drawing.entry.depth, drawing.entry.annotator] = drawing
            self._note(problem)
        else:
            self._unsaved.clear()
            drawing.number = self._writer.number
        return problem

    def _step(self, entry: Entry, joined: bool = False) -> None:
        """Save a change of the drawing, then show it."""
        problem = self._keep(entry)
        self._follow_stroke(entry)
        if joined:
            self.catch_up()
            self._show(problem, words=JOINED.format(name=self.annotator))
        else:
            self._show(problem, entry)

    def _show(self, problem: str, change: Entry | None = None, words: str = "") -> None:
        """Show the drawing after a change; its cost is added up anew where none is given."""
        drawing = self._drawing
        assert drawing is not None
        entry = drawing.entry
        row = self._row_of[entry.sample]
        here = self.editing
        cost = here.cost.after(change) if here and change else self._cost_of(row)
        if change is None:
            self._read_others()
        self.editing = Editing(
            row=row,
            sample=entry.sample,
            depth=entry.depth,
            depths=self._depths,
            filled=here.filled if here and here.row == row else self._filled(row),
            classes=drawing.classes,
            started_from=entry.started_from,
            can_undo=drawing.can_undo,
            can_redo=drawing.can_redo,
            cost=replace(cost, changed_pixels=drawing.changed_pixels),
            saved=not problem,
            number=self._writer.number,
            words=" ".join(filter(None, [problem, words, self._told_behind])),
            others=self._told_of_others(),
            awaited=self._awaited,
        )
