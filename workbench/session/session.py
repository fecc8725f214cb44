"""The one object that changes.

A `Session` holds the state of an interactive experiment as traits, each
replaced whole, and the methods that move it on. Views watch the traits and call
the methods; no view knows another.

Threads: slow work runs in `Background`. What it reports is handled by the event
loop of the thread that made the session, by any method call, or by `wait` where
no loop turns (a notebook under papermill). All changes happen under one lock,
because JupyterLab delivers widget messages on a thread of their own while a
cell runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.annotation.entry import annotator_name
from workbench.cohort.pool import SliceId, VolumeId
from workbench.errors import LedgerError, SettingError
from workbench.experiments.annotating import with_cost
from workbench.experiments.opening import open_cohort_of
from workbench.experiments.runs import Run
from workbench.experiments.simulate import open_run, why_not_train
from workbench.experiments.stopping import why_stop
from workbench.files import may_write
from workbench.jobs import Progress, Work
from workbench.rounds import Round, run_round
from workbench.session.continuing import UNTESTED, ContinuingSession
from workbench.session.queue import SIMULATES, waiting
from workbench.session.saved import settings_of
from workbench.session.state import STEPS, Step
from workbench.strategies import from_record
from workbench.strategies.base import Budget, QueryStrategy, Suggestions
from workbench.study import Data, initial_rows
from workbench.words import count

if TYPE_CHECKING:
    from workbench.models.compute import Compute

__all__ = ["Session"]


class Session(ContinuingSession):
    """State of one interactive experiment, and what a person can do with it.

    Parameters
    ----------
    source : str or Path
        ``"phantom"`` or the folder of a cohort.
    folder : str or Path, optional
        Where the experiment is kept; ``runs/<source>`` in the working folder by
        default. An experiment that is there is continued, with its own settings where none
        are given here; others than its own are refused on opening.
    strategy : QueryStrategy, optional
        Gradient-guided sampling by default.
    annotator : str, optional
        Who draws; the name of this computer's user by default. `Session.annotator` changes it.
    **settings
        Fields of `RunConfig`, such as ``seed``, ``initial``, ``budget``, ``cases``.

    Raises
    ------
    SettingError
        If a setting is unknown, out of its range, or for simulated runs only.
    LedgerError
        If the annotator's name cannot be kept.
    """

    def __init__(
        self,
        source: str | Path = "phantom",
        folder: str | Path | None = None,
        *,
        strategy: QueryStrategy | None = None,
        annotator: str | None = None,
        **settings: Any,
    ) -> None:
        short = Path(str(source)).name or "cohort"
        place = Path(folder) if folder is not None else Path("runs") / short
        config = settings_of(place, str(source), strategy, settings)
        super().__init__(config)
        if annotator is not None:
            self.annotator = annotator_name(annotator)
        self.folder, self.name = place, short
        self.strategy = strategy if strategy is not None else from_record(config.strategy)
        if config.transfer or config.retrain_manifold or isinstance(config.epochs, tuple):
            raise SettingError(
                "A session neither pre-trains on another site nor learns its manifold anew in "
                "every round, and all its rounds train for the same epochs. Leave transfer, "
                "retrain_manifold and lists of epochs to `workbench simulate`."
            )
        if config.unit == "cases":
            raise SettingError(
                "A session suggests slices, or volumes, one by one. Leave unit = 'cases' to "
                "`workbench simulate`, or choose unit = 'volumes', for 3-D networks."
            )
        self.noun = (VolumeId if config.unit == "volumes" else SliceId).noun
        budget = config.budget
        self.budget = budget if isinstance(budget, int) else 12  # a share is counted on opening
        self.steps = dict.fromkeys(STEPS, Step())
        self._offer_next()

    # ------------------------------------------------------------ opening
    def open(self) -> None:
        """Open the cohort in the background and continue what the folder holds."""
        if self.data is not None:
            return

        def work() -> Work[tuple[Data, Compute, Run, Any]]:
            from workbench.latent.project import pixel_pca

            config = self.config
            rounds = min(config.rounds, 1)  # none where everything is labeled at first
            data = yield from open_cohort_of(config, config.candidates, rounds)
            pixels = yield from pixel_pca(data.images)
            yield Progress("starting torch", 0, 1)
            run, compute = open_run(self.folder, config, only_look=True)
            return data, compute, run, pixels

        self._start("cohort", work(), self._opened)

    def _opened(self, result: tuple[Data, Compute, Run, Any]) -> None:
        from workbench.cohort.store import foreground_area

        data, compute, run, pixels = result
        self.data, self._compute, self._run = data, compute, run
        self._has_network, self.read_only = run.has_network, not may_write(self.folder)
        self.name, self.only_look = data.cohort.name, why_not_train(run, compute)
        self.cohort, self.images, self.labels = data.cohort, data.images, data.labels
        self.test_cases = () if data.test_images is None else tuple(data.test_images.cases)
        self.pool = run.pool_after(data.pool)
        self._open_ledger(data)
        if not isinstance(self.config.budget, int):
            self.budget = self.config.schedule(self.pool).budget(0)
        foreground = "volume (mm³)" if data.images.of_volumes else "area (mm²)"
        if data.labels.available.any():
            self.values = {f"foreground {foreground}": foreground_area(data.images, data.labels)}
        self.maps = {pixels.name: pixels}
        self.map_names = (pixels.name,)
        self.map_name = pixels.name
        held = 0 if data.validation is None else len(data.validation.images.cases)
        self._mark(
            "cohort",
            "ready",
            f"{count(len(data.images.cases), 'case')} with {count(len(self.pool), self.noun)} in "
            f"the pool, {len(self.test_cases):,} to test"
            f"{f', {held:,} to validate' if held else ''}",
        )
        self._note(
            f"Opened {self.name}: {count(len(data.images.cases), 'case')} in the pool, "
            f"{len(self.test_cases):,} held out for testing"
            f"{f', {held:,} for validation' if held else ''}."
        )
        if not self.test_cases:
            self._note(f"{UNTESTED} Its curve says how much is labeled, and no more.")
        elif not data.pool.eligible.all():
            without = count(int((~data.pool.eligible).sum()), self.noun)
            self._note(
                f"{without} without a reference are not suggested. To annotate them, set "
                f'candidates = "all".'
            )
        for problem in data.cohort.problems[:5]:
            self._note(str(problem))
        self._background.start("warm-up", _warm_up(), lambda progress: None, lambda outcome: None)
        self._go_back_to_canvas()
        if self.only_look:
            self._look_back(run)
        elif run.rounds:
            finished = count(len(run.rounds), "finished round")
            self._note(f"Found {finished} in {self.folder}; going on there.")
            self.train_manifold()
        elif self._was_cut_off():
            self._mark_stopped("manifold", Step())
        self._tell_missing(run)

    # ------------------------------------------------------------ the loop
    def start_round(self) -> None:
        """Train on what is labeled and suggest; the first round draws the initial set."""
        if self.data is None:
            self._refuse("There are no images yet. Open the cohort first.")
            return
        if self.busy:
            self._refuse_busy()
            return
        if self.only_look:
            self._refuse(self.only_look)
            return
        self.catch_up()
        behind = self._behind()
        if behind:
            self._refuse(behind)
            return
        if self.round is None and not self._ask_for_initial():
            return
        if self.study is None:
            self._learn(self.z_dim, self.start_round)
            return
        fresh = self.pool.labeled_in > self._trained
        if not fresh.any():
            self._refuse(
                "Nothing was labeled since the last round. Label the suggestions first, then "
                "start the next round."
            )
            return
        try:
            labels, number = self.labels_now()
        except LedgerError as error:
            self._refuse(error)
            return
        index = self._trained + 1  # also for what was labeled while a training ran that was stopped
        pool = replace(self.pool, labeled_in=np.where(fresh, index, self.pool.labeled_in))
        self.pool = pool
        study = replace(self.study, data=replace(self.study.data, labels=labels))
        strategy, budget, run = self.strategy, Budget(self.budget), self._run
        initial = self.round.model if self.round and self.config.continue_weights else None
        assert run is not None
        self._training, self._ledger_at = index, {**self._ledger_at, str(index): number}
        self._save()
        ledger = self._writer.ledger if labels is not self.labels else None
        before = self.round.annotated if self.round is not None else {}

        def work() -> Work[tuple[Round, Run]]:
            round = yield from run_round(study, pool, strategy, budget, index, initial)
            if ledger is not None:
                round = with_cost(round, study, ledger, before, number)
            validation = [*(saved.validation for saved in run.rounds), round.validation]
            round = replace(round, stopped=why_stop(self.config.stop, validation))
            return round, run.append(round)

        def ended(result: tuple[Round, Run]) -> None:
            round, self._run = result
            self._adopt_round(round)

        self._start("model", work(), ended)

    def _ask_for_initial(self) -> bool:
        """Label the initial set from the reference; tell whether there is anything to train on.

        Where there is no reference the initial set is put in the queue, and the manifold is
        learned meanwhile.
        """
        assert self.data is not None
        try:
            schedule = self.config.schedule(self.data.pool)
            schedule.check(1)
            rows = initial_rows(self.data.pool, schedule.initial, self.config.seed, schedule.unit)
        except SettingError as error:
            self._refuse(error)
            return False
        missing = rows[~self.pool.labeled[rows]]
        known = self.labels.available[missing]
        self.pool = self.pool.with_labeled(missing[known], 0)
        if known.all():
            return True
        by_hand = self.pool.labeled & ~self.labels.available
        insisted = bool(len(self._asked)) or bool(by_hand.any())
        self._ask(Suggestions(rows))
        if insisted and self.pool.labeled.any():
            return True
        if self.study is None:
            self.train_manifold()
        else:
            self._refuse(
                f"There is nothing to train on yet. Annotate the "
                f"{count(len(missing), self.noun)} of the queue first, or some of them."
            )
        return False

    def label_suggestions(self) -> None:
        """Label what is suggested with the reference; the next round trains on them."""
        self._background.drain()
        if self.suggestions is None or not len(self.suggestions.rows):
            self._refuse("There are no suggestions to label. Run a round first.")
            return
        if self.only_look:
            self._refuse(self.only_look)
            return
        if self.busy:
            self._refuse_busy()
            return
        with self._background.lock:
            rows = self.suggestions.rows[self.labels.available[self.suggestions.rows]]
            if not len(rows):
                self._refuse(
                    "There is no reference to label these from. Annotate them in the editor."
                )
                return
            self._background.cancel("exact")
            n = len(rows)
            self.pool = self.pool.with_labeled(rows, self._asking)
            self._shrink(self._unanswered(self.suggestions))
            self._save()
            self._show_queue()
            self._mark("annotate", "ready", f"{count(n, self.noun)} labeled from the reference")
            self._mark("model", "stale", waiting(n))
            self._note(f"Labeled {count(n, 'suggestion')} from the reference.")
            self._offer_next()

    def next(self) -> None:
        """Do what comes next: open, train, annotate, label, or start the next round."""
        self._background.drain()
        if self.busy:
            self._refuse_busy()
        else:
            self._what_next()[1]()

    def _adopt_round(self, round: Round) -> None:
        self.round = round
        learned = self._show_rounds((*self.rounds, round))
        self._note(f"Round {round.index}: {learned}.")
        if round.stopped:
            self._note(f"This may be enough. {round.stopped}")
        if len(round.suggestions.rows):
            self._mark("annotate", "not started", f"{len(round.suggestions.rows):,} to label")
        self._publish(round.suggestions)
        self._save()
        self._score_pool(round)

    # ------------------------------------------------------------ what comes next
    def _offer_next(self) -> None:
        """Name the one thing to do next."""
        if self.busy or self._background.runs("main"):
            self.next_step = ""
            return
        self._training = -1
        self.next_step, action = self._what_next()
        self.next_hint = SIMULATES if action == self.label_suggestions else ""

    def _what_next(self) -> tuple[str, Callable[[], None]]:
        """Words for the one thing to do next, and what does it; no words for nothing."""
        if self.data is None:
            return "Open the cohort", self.open
        if self.read_only:
            return "", self.start_round
        left = 0 if self.suggestions is None else len(self.suggestions.rows)
        if left:
            assert self.suggestions is not None
            simulates = self.labels.available[self.suggestions.rows].all() and not self.only_look
            if self._by_hand or not simulates:
                first = left == len(self.queue)
                which = f"these {left}" if first else f"the other {left}"
                if left == 1:
                    which = f"the {self.noun}" if first else f"the last {self.noun}"
                return f"Annotate {which}", lambda: self.turn(1)
            return f"Label these {left} (simulated, from the reference)", self.label_suggestions
        if self.only_look:
            return "", self.start_round
        if self.round is None:
            stopped = [step for step in ("manifold", "model") if self.steps[step].stopped]
            if stopped:
                what = "manifold" if stopped[-1] == "manifold" else "first round"
                return f"Resume the {what}", self.start_round
            return "Get the first suggestions (1 to 2 min)", self.start_round
        if self.pool.labeled_in.max() > self.round.index:
            verb = "Resume" if self.steps["model"].stopped else "Start"
            return f"{verb} round {self.round.index + 1}", self.start_round
        return "", self.start_round


def _warm_up() -> Work[None]:
    """Compile the search in cones before a slider needs it."""
    from workbench.strategies.cone import warm_up

    yield Progress("compiling the search", 0, 1)
    warm_up()
