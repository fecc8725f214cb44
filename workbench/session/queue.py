"""The queue: what is to be annotated, and what becomes of it once it is answered.

"done" labels a slice, whoever said so and from whichever process; the next round
trains on it. "unsure" and "skipped" set it aside until the next round, and what
is skipped as unusable is left out for good. All of it is read from the ledger,
so a kernel that was killed and a colleague's kernel come to the same queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.annotation import Entry, LedgerLabels, images_key
from workbench.annotation.agreement import answered_differently
from workbench.annotation.costs import RoundCost, cost_of_round
from workbench.annotation.history import SampleState, Totals, accepted
from workbench.annotation.ledger import FILE_NAME
from workbench.cohort.label_source import LabelSource
from workbench.errors import LedgerError, WorkbenchError
from workbench.experiments.runs import Run, rounds_of
from workbench.session.drawing import Writer
from workbench.session.saved import read_ledger_at, rows_taken_back, save
from workbench.session.scoring import ScoringSession
from workbench.session.tasks import Cost, Task
from workbench.strategies.base import Suggestions
from workbench.study import Data
from workbench.words import count

__all__ = ["SIMULATES", "UNUSABLE", "QueueSession"]

#: A reason to skip that begins with this word takes a slice out of the pool.
UNUSABLE = "unusable"
#: What labeling from the reference is.
SIMULATES = (
    "Simulates annotating: takes the data set's own labels. To annotate yourself, draw in the tab "
    "Annotate; from then on this button leads there."
)


class QueueSession(ScoringSession):
    """A session that knows what is to be annotated, by whom it was, and how."""

    _writer: Writer
    _run: Run | None = None
    #: Row of each name.
    _row_of: Mapping[str, int]
    #: The round whose training runs now; -1 for none.
    _training = -1
    #: Rows that this round asks for, answered or not.
    _asked: NDArray[np.int64] = np.zeros(0, np.int64)
    #: What the ledger holds of each row; the entry that training uses of each slice.
    _known: Mapping[int, SampleState] = {}
    _accepted: Mapping[tuple[str, int], int] = {}
    #: Samples that several people answered differently.
    _differing: frozenset[str] = frozenset()
    #: Why rows were skipped.
    _reasons: Mapping[int, str] = {}
    #: The ledger's last entry that was taken in.
    _seen = 0
    #: What was said of another kernel that has gone on with the run; empty if none has.
    _told_behind = ""
    #: The last entry that was known when each round began to train.
    _ledger_at: Mapping[str, int] = {}

    @property
    def _asking(self) -> int:
        """The round that labels given now are for."""
        return max(self._training, self._trained) + 1

    @property
    def _booked(self) -> int:
        """The round that what is drawn now is kept for: the next one, whoever trained the last."""
        return max(self._asking, rounds_of(self.folder, self._trained + 1))

    @property
    def _trained(self) -> int:
        """The last round of the run, -1 before the first."""
        return -1 if self._run is None else len(self._run.rounds) - 1

    def _open_ledger(self, data: Data) -> None:
        """Take in the ledger of the run's folder; where there is none the first entry makes it."""
        self._row_of = {str(each): row for row, each in enumerate(data.pool.ids)}
        self._ledger_at = read_ledger_at(self.folder)
        path = self.folder / FILE_NAME
        self._writer = Writer(path, images_key(data.images), data.labels.classes)
        if path.exists():
            problem = self._writer.open()
            if problem:
                self._refuse(problem)
            self.catch_up()

    def close(self) -> None:
        """Stop everything; the folder keeps what was finished, and every stroke."""
        super().close()
        if self.data is not None:
            problem = self._writer.save() if self._writer.waiting else ""
            if problem:
                self._note(problem)
            self._writer.close()

    # ------------------------------------------------------------ following the ledger
    def catch_up(self) -> None:
        """Take in what was written to the ledger since, by anybody; cheap if there is nothing."""
        self._background.drain()
        if self.data is None:
            return
        with self._background.lock:
            behind = self._behind()
            if behind and behind != self._told_behind:
                self._told_behind = self.problem = behind
                self._note(behind)
            if self._writer.ledger is None and not (self.folder / FILE_NAME).exists():
                return
            problem = self._writer.save()
            self._follow_save()
            ledger = self._writer.ledger
            if problem or ledger is None:
                return
            try:
                last = ledger.last
                if last != self._seen:
                    self._take_in(ledger.states())
                    self._seen = last
                    self._follow_news()
            except LedgerError as error:
                self._refuse(error)

    def _follow_save(self) -> None:
        """Show that what waited for the disk is saved."""
        raise AssertionError("a session shows what is drawn")

    def _follow_news(self) -> None:
        """Show what others have made of the slice that is drawn on."""
        raise AssertionError("a session compares with what others have drawn")

    def _take_in(self, states: Mapping[str, SampleState]) -> None:
        """Label what is done, set aside what is not, and show the queue."""
        ledger = self._writer.ledger
        assert ledger is not None
        self._known = self._by_row(states)
        self._accepted = accepted(states.values())
        self._differing = answered_differently(ledger, states)
        self._reasons = {
            row: _reason(ledger.entries(str(self.pool.ids[row]), maps=False))
            for row, state in self._known.items()
            if state.state == "skipped"
        }
        self._label_answered()
        if self.suggestions is not None:
            self._shrink(self._unanswered(self.suggestions))
        self._show_queue()

    def _by_row(self, states: Mapping[str, SampleState]) -> Mapping[int, SampleState]:
        """What was done on each row of the pool."""
        return {self._row_of[each]: state for each, state in states.items() if each in self._row_of}

    def _known_at(self, index: int) -> Mapping[int, SampleState]:
        """What the ledger held of each row when a round began to train; nothing if not known.

        Raises
        ------
        LedgerError
            If the ledger cannot be read.
        """
        number, ledger = self._ledger_at.get(str(index)), self._writer.ledger
        return {} if number is None or ledger is None else self._by_row(ledger.states(number))

    def _shrink(self, left: Suggestions) -> None:
        """Show the suggestions that are left; after the last one the next round suggests again."""
        if len(left.rows):
            self.suggestions = left
            if self.preview is not None:
                self.preview = replace(self.preview, suggestions=left)
        else:
            self.preview = self.suggestions = None
            self._mark("suggest", "stale", "answered; the next round suggests again")

    def _label_answered(self) -> None:
        """Bring the pool in line with the answers; what is withdrawn is trained on no more."""
        pool = self.pool
        labeled_in, eligible = pool.labeled_in.copy(), pool.eligible.copy()
        trained = max(self._training, self._trained)
        for row, state in self._known.items():
            if state.done and labeled_in[row] < 0:
                labeled_in[row] = self._asking
            if self._reasons.get(row, "").lower().startswith(UNUSABLE) and not state.done:
                eligible[row] = False
        taken_back = rows_taken_back(labeled_in, self._known)
        withdrawn = [str(pool.ids[row]) for row in taken_back if labeled_in[row] <= trained]
        labeled_in[taken_back] = -1  # it is labeled no longer
        labeled_in[labeled_in > self._asking] = self._asking  # that training was stopped
        if (labeled_in != pool.labeled_in).any() or (eligible != pool.eligible).any():
            self.pool = replace(pool, labeled_in=labeled_in, eligible=eligible)
            self._save()
            if withdrawn:
                self._note(
                    f"Withdrawn: {', '.join(withdrawn)}. The next round trains without "
                    f"{'it' if len(withdrawn) == 1 else 'them'}."
                )
            pending = int((labeled_in > trained).sum())
            if pending and self.round is not None and not self.busy:
                self._mark("model", "stale", waiting(pending))

    # ------------------------------------------------------------ the queue
    def _unanswered(self, found: Suggestions) -> Suggestions:
        """Leave out what is answered; what is done counts towards the budget of the round."""
        pool = self.pool
        aside = [row for row, state in self._known.items() if self._is_aside(state)]
        keep = ~pool.labeled[found.rows] & ~np.isin(found.rows, aside)
        kept = np.flatnonzero(keep & pool.eligible[found.rows])
        done = int((pool.labeled_in == self._asking).sum())
        return found.at(kept[: max(max(self.budget, len(self._asked)) - done, 0)])

    @property
    def _by_hand(self) -> bool:
        """Whether a person annotates in this run: anything was drawn, or answered."""
        known = self._known.values()
        return any(task.state == "in progress" for task in self.queue) or any(
            state.state != "in progress" or state.strokes for state in known
        )

    def _is_aside(self, state: SampleState) -> bool:
        """Whether a sample was put aside in this round."""
        return state.state in ("unsure", "skipped") and state.parts[-1].round >= self._asking

    def _ask(self, found: Suggestions) -> None:
        """Put into the queue what is asked for without a network that could tell more of it."""
        self._asked = found.rows
        self.suggestions = self._unanswered(found)
        self._show_queue()

    def _publish(self, found: Suggestions) -> None:
        self._asked = found.rows
        super()._publish(self._unanswered(found))
        self._show_queue()

    def _show_queue(self) -> None:
        """Tell the state of every task, and how far the round is."""
        asked = self._asked.tolist()
        others = [
            row
            for row, state in self._known.items()
            if (state.state == "in progress" and state.strokes)
            or (state.state != "in progress" and state.parts[-1].round >= self._asking)
        ]
        rows = dict.fromkeys([*asked, *others])
        self.queue = tuple(self._task(row) for row in rows)
        if not self.queue:
            return
        done = sum(task.state == "done" for task in self.queue)
        aside = sum(task.state in ("unsure", "skipped") for task in self.queue)
        told = f"{done:,} of {count(len(self.queue), self.noun)} done"
        told += f", {aside:,} set aside" if aside else ""
        left = sum(task.open for task in self.queue)
        if not left:
            self._mark("annotate", "ready", told)
        elif left < len(self.queue):
            self._mark("annotate", "running", told, 1 - left / len(self.queue))
        else:
            self._mark("annotate", "not started", f"{left:,} to label")
        self._offer_next()

    def _task(self, row: int) -> Task:
        known = self._known.get(row)
        if known is None:
            return Task(row, "done" if self.pool.labeled[row] else "suggested")
        drawn = known.state != "in progress" or known.strokes
        state = known.state if drawn else ("done" if self.pool.labeled[row] else "suggested")
        return Task(
            row,
            state,  # type: ignore[arg-type]
            known.annotators,
            known.active_seconds,
            self._reasons.get(row, ""),
            str(self.pool.ids[row]) in self._differing,
        )

    def _follow_stroke(self, entry: Entry) -> None:
        """Count a stroke in the queue at once; the ledger is read again when there is time."""
        row = self._row_of[entry.sample]
        tasks = list(self.queue)
        for place, task in enumerate(tasks):
            if task.row == row:
                names = dict.fromkeys([*task.annotators, entry.annotator])
                seconds = task.seconds + entry.active_seconds
                tasks[place] = replace(
                    task, state="in progress", annotators=tuple(names), seconds=seconds
                )
                self.queue = tuple(tasks)
                if task.state != "in progress":
                    self._offer_next()
                return
        self.queue = (*tasks, Task(row, "in progress", (entry.annotator,), entry.active_seconds))
        self._offer_next()

    def _save(self) -> None:
        """Write what a person chose and labeled since the last round."""
        restored = self.round is not None or self._trained < 0
        if not restored or self._behind():
            return
        try:
            save(self.folder, self.pool, self._trained, self.strategy, self.budget, self._ledger_at)
        except WorkbenchError as error:
            self._fail("", error)

    def _behind(self) -> str:
        """Say that another kernel has gone on with this run, where one has; else nothing."""
        there = rounds_of(self.folder, self._trained + 1) - 1
        if there <= self._trained or there == self._training:
            return ""
        return (
            f"Another kernel has trained round {there} in {self.folder}. Restart this one and open "
            f"the run again to go on from there; what is drawn here is in the ledger, for round "
            f"{there + 1}."
        )

    # ------------------------------------------------------------ what is asked of it
    def _number_at(self, row: int, depth: int) -> int:
        """Entry with what this person drew on a slice, else with what anybody answered; or 0."""
        parts = self._known[row].parts if row in self._known else ()
        for part in parts:
            if part.depth == depth and part.annotator == self.annotator and part.strokes:
                return part.number
        return self._accepted.get((str(self.pool.ids[row]), depth), 0)

    def cost_so_far(self) -> RoundCost:
        """Add up what the annotations of the present round cost, and the effort they saved.

        Raises
        ------
        LedgerError
            If the ledger cannot be read, or there is none yet.
        """
        problem = self._writer.open()
        if self._writer.ledger is None:
            raise LedgerError(problem)
        images = self.images
        spacing = {
            str(images.ids[row]): tuple(images.spacing[images.case_of[row]][1:].tolist())
            for row in self._known
        }
        classes = len(self.labels.classes)
        return cost_of_round(self._writer.ledger, self._booked, classes, spacing)

    def _cost_of(self, row: int) -> Cost:
        """Add up what a sample has cost this person, also what could not be saved yet."""
        ledger, sample = self._writer.ledger, str(self.pool.ids[row])
        totals = Totals()
        if ledger is not None:
            totals = ledger.totals(sample=sample, annotator=self.annotator)[()]
        unsaved = [entry for entry in self._writer.waiting if entry.sample == sample]
        cost = Cost(0, totals.strokes, totals.contour_mm, totals.active_seconds, totals.opened)
        for entry in unsaved:
            cost = cost.after(entry)
        return cost

    def labels_now(self) -> tuple[LabelSource, int]:
        """Return the labels as they are now, and the last entry of the ledger that they know.

        What people answered "done" stands in the place of the reference.

        Raises
        ------
        LedgerError
            If the ledger cannot be read.
        """
        return self._labels_until(None)

    def _labels_until(self, number: int | None) -> tuple[LabelSource, int]:
        assert self.data is not None
        ledger = self._writer.ledger
        if ledger is None:
            return self.data.labels, 0
        until = ledger.last if number is None else number
        labels = LedgerLabels(ledger, self.data.images, self.data.labels, until=until)
        return (labels, until) if labels.annotated.any() else (self.data.labels, until)


def waiting(labels: int) -> str:
    """Say that the model has not seen so many labels yet."""
    return f"{count(labels, 'new label waits', 'new labels wait')} to be trained on"


def _reason(entries: tuple[Entry, ...]) -> str:
    """The last reason of "skipped"."""
    return next((entry.note for entry in reversed(entries) if entry.kind == "skipped"), "")
