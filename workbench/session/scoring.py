"""What is computed beside, once a round is done: scores of every row, random choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.jobs import Outcome, Work
from workbench.rounds import Round
from workbench.session.learning import LearningSession

__all__ = ["ScoringSession"]


class ScoringSession(LearningSession):
    """A session that looks how well its model does, in idle time."""

    def _score_pool(self, round: Round) -> None:
        """Color the map by how well the model does, once that is known."""
        if round.evidence is None or round.model is None:
            return
        study, model = round.evidence.study, round.model
        data, compute, criterion = study.data, study.compute, study.segmentation.criterion
        rows = np.flatnonzero(data.labels.available)
        if not len(rows):
            return

        def work() -> Work[dict[str, NDArray[np.float64]]]:
            from workbench.training.predict import score_rows

            return (
                yield from score_rows(
                    model, data.images, data.labels, rows, compute, criterion=criterion
                )
            )

        def ended(outcome: Outcome[dict[str, NDArray[np.float64]]]) -> None:
            if outcome.value is not None:
                filled = {}
                for key, label in (("dice", "Dice of the model"), ("loss", "loss of the model")):
                    filled[label] = np.full(len(data.pool), np.nan)
                    filled[label][rows] = outcome.value[key]
                self.values = {**self.values, **filled}
            self._follow_random()

        self._background.start("scores", work(), lambda progress: None, ended)

    def _follow_random(self) -> None:
        """Compute in idle time what random choice would have reached, where references tell."""
        if self.study is None or self.busy or len(self.ghost) >= len(self.rounds):
            return
        data = self.study.data
        if data.test_images is None or not data.labels.available[data.pool.eligible].all():
            return
        from workbench.session.ghost import random_curve

        def ended(outcome: Outcome[tuple[tuple[int, float], ...]]) -> None:
            if outcome.value is not None:
                self.ghost = outcome.value
            elif outcome.error is not None:
                self._note(f"The curve of random choice could not be computed: {outcome.error}")

        work = random_curve(self.study, self.rounds, self.config.continue_weights)
        self._background.start("ghost", work, lambda progress: None, ended)
