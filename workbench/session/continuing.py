"""Going on with a run that was read from its folder, or only looking back at it.

Its rounds, the tuned settings and every label are plain files, and shown wherever they are
opened. To train and to suggest, the network of the last round must be there, and the hardware
that the run was begun on; without them `only_look` says why, and people can look and annotate.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from workbench.annotation.history import SampleState
from workbench.annotation.ledger import FILE_NAME
from workbench.cohort.label_source import LabelSource
from workbench.errors import LedgerError, RunError
from workbench.experiments.runs import Run
from workbench.rounds import Round
from workbench.session.queue import waiting
from workbench.session.saved import missing_annotations, restore, with_network
from workbench.session.tooling import ToolSession
from workbench.words import count

__all__ = ["UNTESTED", "ContinuingSession"]

#: What is said where no case could be held out.
UNTESTED = "No case with a label is held out for testing, so Dice cannot be measured."


class ContinuingSession(ToolSession):
    """A session that shows what its run holds."""

    def _go_on(self) -> None:
        if self._run is not None and self._run.rounds and self.round is None:
            self._restore(self._run)

    def _restore(self, run: Run) -> None:
        """Continue a run that was read from its folder."""
        assert self.study is not None
        rounds, labels = self._read_back(run)
        try:
            last = with_network(rounds[-1], run, self.study, labels)
        except RunError as error:
            self.only_look, self._has_network = str(error), False
            self._look_back(run)
            return
        self.round = last
        self._show_rounds((*rounds[:-1], last))
        self._label_answered()
        self._score_pool(last)
        pending = int((self.pool.labeled_in > last.index).sum())
        if pending:
            self._mark("annotate", "ready", f"{count(pending, self.noun)} labeled")
            self._mark("model", "stale", waiting(pending))
        if pending < self.budget:  # the others are still to be labeled
            self._refine()

    def _look_back(self, run: Run) -> None:
        """Show the rounds of a run, and what its last one asked for, without its network."""
        self._mark("manifold", "not started", self.only_look)
        if run.rounds:
            rounds, _ = self._read_back(run)
            self._show_rounds(rounds)
            self._label_answered()
            self._mark("suggest", "ready", count(len(rounds[-1].suggestions.rows), "suggestion"))
            self._ask(rounds[-1].suggestions)
        wishes = "looking" if self.read_only else "looking and annotating"
        self._note(f"Opened for {wishes} only. {self.only_look}")

    def _read_back(self, run: Run) -> tuple[tuple[Round, ...], LabelSource]:
        """Take over what was labeled and tuned; return the rounds, and the labels of the last."""
        assert self.data is not None
        known: dict[int, Mapping[int, SampleState]] = {}
        try:
            known = {each.index: self._known_at(each.index) for each in run.rounds}
            labels, _ = self._labels_until(self._ledger_at.get(str(run.rounds[-1].index)))
        except LedgerError as error:
            self._refuse(error)
            labels = self.data.labels
        found = restore(run, self.data.pool, self.budget, labels, known)
        self.pool, self.strategy, self.budget = found.pool, found.strategy, found.budget
        return found.rounds, labels

    def _tell_missing(self, run: Run) -> None:
        """Say what was deleted of the run: annotations that it was trained with, rounds."""
        told = [run.unused]
        ledger, path = self._writer.ledger, self.folder / FILE_NAME
        if ledger is not None or not path.exists():
            with suppress(LedgerError):  # that it cannot be read was told
                last = 0 if ledger is None else ledger.last
                told.append(missing_annotations(self._ledger_at, path, last))
        for missing in filter(None, told):
            self.problem = f"{self.problem} {missing}".strip()
            self._note(missing)

    def _show_rounds(self, rounds: tuple[Round, ...]) -> str:
        """Show all rounds and what the last one learned; tell it in words."""
        last = rounds[-1]
        self.rounds = rounds
        self.losses = {**self.losses, "model": last.losses}
        labeled = count(int(last.pool.labeled.sum()), f"labeled {self.noun}")
        told = f"mean Dice {last.metrics['mean']:.2f}" if last.metrics else "not tested"
        learned = f"{labeled}, {told}"
        self._mark("model", "ready", learned)
        self._mark("curve", "ready", count(len(rounds), "round") if last.metrics else UNTESTED)
        return learned
