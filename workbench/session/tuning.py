"""Tuning: a setting changes, and the suggestions follow it.

While a slider moves, z' is interpolated and only ``preview`` changes; when it
rests, the exact suggestions are computed in the background, the newest setting
winning over older ones.
"""

from __future__ import annotations

from typing import Any

from workbench.errors import WorkbenchError
from workbench.jobs import Outcome
from workbench.rounds import select
from workbench.session.looking import LookingSession
from workbench.session.preview import exact_preview, interpolated_preview
from workbench.strategies import get_strategy
from workbench.strategies.base import Budget, QueryStrategy, Suggestions
from workbench.words import count

__all__ = ["TuningSession"]


class TuningSession(LookingSession):
    """A session whose strategy can be tuned live."""

    def tune(self, settled: bool = True, **fields: Any) -> None:
        """Change fields of the strategy and suggest again.

        Parameters
        ----------
        settled : bool
            False while a slider moves: z' is interpolated and only `preview`
            changes. True when it rests: z' is exact and `suggestions` change.
        **fields
            Fields of the strategy, such as ``alpha`` or ``max_angle``.
        """
        self._background.drain()
        try:
            strategy = get_strategy(self.strategy, **fields)
        except WorkbenchError as error:
            self._refuse(error)
            return
        with self._background.lock:
            self.problem = ""
            self.strategy = strategy
            if self.round is None or self.suggestions is None:
                return
            try:
                preview = interpolated_preview(
                    self.round.evidence,
                    strategy,
                    Budget(self.budget),
                    self.suggestions,
                    self._unanswered,
                )
            except WorkbenchError as error:
                self._fail("suggest", error)
                return
            if preview is not None:
                self.preview = preview
            if settled or preview is None:
                self._refine()

    def use(self, strategy: str | QueryStrategy, **parameters: Any) -> None:
        """Suggest with another strategy from now on.

        One that trains its network in a way of its own (an ensemble, dropout, a loss head)
        takes over with the next round; until then the suggestions stay as they are.

        Parameters
        ----------
        strategy : str or QueryStrategy
            A name that `workbench strategies` lists, or a strategy.
        **parameters
            Its fields.
        """
        self._background.drain()
        try:
            chosen = get_strategy(strategy, **parameters)
        except WorkbenchError as error:
            self._refuse(error)
            return
        with self._background.lock:
            self.problem = ""
            self.strategy = chosen
            if self.round is not None and self.suggestions is not None:
                self._refine()

    def calibrate(self, displacement: float = 2.0) -> None:
        """Choose α so that the median displacement is so many neighbor distances."""
        self.tune(settled=True, alpha=None, displacement=displacement)

    def as_printed(self) -> None:
        """Use the papers' setting: α = 1e-3 on the raw gradient (Dai 2022, §3.2)."""
        self.tune(settled=True, alpha=1e-3, scale="raw")

    def set_budget(self, n: int) -> None:
        """Change how many slices, or volumes, a round suggests."""
        self._background.drain()
        free = int(self.pool.free.sum()) if self.pool is not None else None
        if not n >= 1 or (free is not None and n > free):
            limit = f"{free:,}" if free is not None else "the size of the pool"
            self._refuse(
                f"{count(n, 'suggestion was', 'suggestions were')} asked for. Choose between 1 "
                f"and {limit}, the {self.noun}s that are not labeled yet."
            )
            return
        self.budget = n
        if self.round is not None and self.suggestions is not None:
            self._refine()

    def _refine(self) -> None:
        """Compute the exact suggestions of the current settings; the latest call wins.

        Where the network is not the one that the strategy trains, those of the round stay.
        """
        evidence, strategy, budget = self.round.evidence, self.strategy, Budget(self.budget)
        if not evidence.fits(strategy.needs()):
            self._background.cancel("exact")
            self._note(
                f"{type(strategy).__name__} trains the network in its own way, so it suggests "
                f"from the next round on."
            )
            self._publish(self.suggestions or self.round.suggestions)
            self._save()
            return

        def ended(outcome: Outcome[Suggestions]) -> None:
            if outcome.value is not None:
                self._publish(outcome.value)
                self._save()
            elif outcome.error is not None:
                self._fail("suggest", outcome.error)

        self._background.start(
            "exact", select(evidence, strategy, budget), lambda progress: None, ended
        )

    def _publish(self, found: Suggestions) -> None:
        """Make exact suggestions the settled ones and show them."""
        self.suggestions = found
        self.preview = exact_preview(self.round.evidence, self.strategy, found)
        self._mark("suggest", "ready", count(len(found.rows), "suggestion"))
        drawn_on = self.editing is not None and self.editing.row == self.current
        if len(found.rows) and self.current not in found.rows and not drawn_on:
            self.current = int(found.rows[0])
        self._offer_next()

    def _unanswered(self, found: Suggestions) -> Suggestions:
        """Leave out of suggestions what a person has answered since they were made."""
        raise AssertionError("a session knows what was answered")

    def _save(self) -> None:
        """Write what a person chose and labeled since the last round."""
        raise AssertionError("a session knows what is to be saved")
