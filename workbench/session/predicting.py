"""What a person begins with: the last annotation, what the model predicts, or nothing.

A slice is predicted at once. Over a large volume a network takes seconds to
minutes, so a volume is predicted in the background, one at a time, and the last
ones are kept; a view looks again when `predictions` has changed. A run that is
opened again predicts with the network of its last round, before its manifold is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.preprocess import without_blank_ends
from workbench.errors import RunError
from workbench.evidence import EvidenceSource
from workbench.experiments.config import RunConfig
from workbench.experiments.simulate import load_round_model
from workbench.inspection import predict_row
from workbench.jobs import Outcome, Progress, Work
from workbench.session.queue import QueueSession
from workbench.study import Study

if TYPE_CHECKING:
    from workbench.cohort.pool import Pool
    from workbench.experiments.runs import Run
    from workbench.models.compute import Compute
    from workbench.study import Data

__all__ = ["PredictingSession"]

#: Predicted slices or volumes that are kept; the oldest is forgotten first.
KEPT = 4


class PredictingSession(QueueSession):
    """A session that predicts what a person begins with, and blocks nothing meanwhile."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        #: Classes by row, all from the network of one round.
        self._predicted: dict[int, NDArray[np.uint8]] = {}
        self._predicted_by = -1
        #: Why rows could not be predicted; they are not tried again until a person asks.
        self._unpredictable: dict[int, str] = {}
        #: The row that is wanted next, -1 for none.
        self._wanted = -1
        #: The network of a run that was opened again, until its last round is restored.
        self._loaded: EvidenceSource | None = None
        #: Whether a run that was opened again has that network.
        self._has_network = False

    # ------------------------------------------------------------ what there is
    @property
    def _depths(self) -> int:
        """Slices of every volume; 1 where slices are annotated."""
        return int(self.images.size[0]) if self.images.of_volumes else 1

    def _filled(self, row: int) -> tuple[int, int]:
        """First and last slice of a volume that is not blank; (0, 0) for a slice."""
        if not self.images.of_volumes:
            return 0, 0
        kept = without_blank_ends(self.images.read([row])[0])
        return int(kept.start), int(kept.stop) - 1

    def _read_map(self, number: int) -> NDArray[np.uint8]:
        """Read a label map of the ledger by the number of its entry."""
        assert self._writer.ledger is not None
        classes = self._writer.ledger.read(number).classes
        assert classes is not None
        return classes

    def _beginning(
        self, row: int, depth: int, start: str | None
    ) -> tuple[str, NDArray[np.uint8]] | None:
        """What an annotation begins with, and what that is called; None: it is still predicted."""
        if start in (None, "annotation"):
            number = self._accepted.get((str(self.pool.ids[row]), depth))
            if number is not None:
                return "annotation", self._read_map(number)
        if start in (None, "prediction") and self.predicts:
            classes = self._prediction(row, again=True)
            if classes is None:
                return None
            return "prediction", classes[depth] if classes.ndim == 3 else classes
        return "empty", self._nothing()

    def _nothing(self) -> NDArray[np.uint8]:
        """Return the label map of a slice on which nothing is drawn."""
        return np.zeros(self.images.size[-2:], np.uint8)

    # ------------------------------------------------------------ what is predicted
    @property
    def predicts(self) -> bool:
        """Whether there is a network that can be asked."""
        if self.round is None:
            return self._has_network
        return self.round.evidence is not None and self.round.evidence.model is not None

    def _predictable(self, row: int) -> bool:
        """Whether there is a network that can be asked, and it has not failed on a row."""
        failed = row in self._unpredictable and self._predicted_by == self._network()[0]
        return self.predicts and not failed

    def _network(self) -> tuple[int, EvidenceSource | None]:
        """Index of the last round, and its network; None where that is still in its folder."""
        if self.round is not None:
            return self.round.index, self.round.evidence
        return self._trained, self._loaded

    def _prediction(self, row: int, again: bool = False) -> NDArray[np.uint8] | None:
        """Return the classes of a row if they are known; else begin to predict them.

        Parameters
        ----------
        row : int
            Row of the pool; there is a network (`predicts`).
        again : bool
            Whether a row that could not be predicted before is tried once more.

        Returns
        -------
        ndarray of uint8, shape (h, w) or (d, h, w), or None
            None while it is predicted in the background, and where that has failed.
        """
        with self._background.lock:
            index, evidence = self._network()
            if self._predicted_by != index:
                self._predicted, self._predicted_by = {}, index
                self._unpredictable = {}
            if again:
                self._unpredictable.pop(row, None)
            if row not in self._predicted and row not in self._unpredictable:
                if evidence is None or self.images.of_volumes:
                    self._predict_later(row)
                else:
                    self._keep_prediction(row, predict_row(evidence, row))
            return self._predicted.get(row)

    def _keep_prediction(self, row: int, classes: NDArray[np.uint8] | None) -> None:
        assert classes is not None  # there was a network
        self._predicted[row] = classes
        while len(self._predicted) > KEPT:
            del self._predicted[next(iter(self._predicted))]

    def _predict_later(self, row: int) -> None:
        """Predict a row in the background, after the one that is being predicted."""
        if self._background.runs("predict"):
            self._wanted = row
            return
        index, evidence = self._network()
        run, data, compute, pool = self._run, self.data, self._compute, self.pool

        def work() -> Work[tuple[EvidenceSource, NDArray[np.uint8] | None]]:
            yield Progress("predicting", 0, 1)
            network = evidence
            if network is None:
                assert run is not None
                assert data is not None
                assert compute is not None
                network = _load(run, index, data, compute, pool)
            return network, predict_row(network, row)

        def ended(outcome: Outcome[tuple[EvidenceSource, NDArray[np.uint8] | None]]) -> None:
            wanted, self._wanted = self._wanted, -1
            if index == self._network()[0] == self._predicted_by:
                if outcome.value is not None:
                    network, classes = outcome.value
                    self._loaded = network if self.round is None else None
                    self._keep_prediction(row, classes)
                else:
                    self._fail("", outcome.error or RunError("The prediction was stopped."))
                    self._unpredictable[row] = self.problem
            self._follow_prediction()
            if wanted >= 0:
                self._prediction(wanted)
            self.predictions += 1

        self._wanted = -1
        self._background.start("predict", work(), lambda progress: None, ended)

    def _follow_prediction(self) -> None:
        """Go on with what waits for a prediction, now that one has ended."""
        raise AssertionError("a session says what waits for a prediction")


def _load(run: Run, index: int, data: Data, compute: Compute, pool: Pool) -> EvidenceSource:
    """Read the network of a finished round, so that it predicts before anything is trained."""
    study = Study(data, None, run.config.segmentation_config(0), compute, run.config.seed)
    return EvidenceSource(study, pool, load_round_model(run, index, study), index)
