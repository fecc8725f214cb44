"""A simulated annotator at work in a run: labels come from a ledger, and have a price.

Without one the labels of a simulated run are its references, for nothing. With one every
sample that is asked for is corrected from the prediction of the network that asked for it,
in the ledger of the run, and what was drawn is what the next round trains on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.annotation import Ledger, LedgerLabels, images_key
from workbench.annotation.costs import cost_of_round
from workbench.annotation.effort import measure_effort
from workbench.annotation.ledger import FILE_NAME
from workbench.annotation.simulated import Annotator, LedgerDesk, correct
from workbench.cohort.label_source import LabelSource
from workbench.experiments.costs import GIVEN
from workbench.jobs import Progress, Work
from workbench.strategies.needs import PredictedEffort

if TYPE_CHECKING:
    from torch import nn

    from workbench.rounds import Round
    from workbench.study import Study

__all__ = ["Annotating", "effort_correlation", "with_cost"]

#: Samples that are predicted before they are corrected, at most.
TOGETHER = 64


class Annotating:
    """The simulated annotator of a run.

    Parameters
    ----------
    how : Annotator
        Accuracy and speed.
    folder : Path
        Of the run; its ledger is kept there.
    reference : LabelSource
        What is right.
    """

    def __init__(self, how: Annotator, folder: Path, reference: LabelSource) -> None:
        self.how, self.folder, self.reference = how, folder, reference

    def label(
        self, study: Study, rows: NDArray[np.int64], index: int, model: nn.Module | None
    ) -> Work[Study]:
        """Correct the samples that a round asks for; return the study that trains on the ledger.

        What was finished before is not done again.

        Parameters
        ----------
        study : Study
            Of the run.
        rows : ndarray of int
            Rows to annotate; none: all is annotated already.
        index : int
            The round whose labels they are.
        model : torch.nn.Module or None
            The network that asked for them; None: they are drawn from nothing.
        """
        from workbench.training.predict import predict

        data = study.data
        with self._ledger(study) as ledger:
            states = ledger.states()
            left = [row for row in rows.tolist() if str(data.pool.ids[row]) not in states]
            for start in range(0, len(left), TOGETHER):
                part = left[start : start + TOGETHER]
                predictions: Mapping[int, NDArray[np.uint8]] = {}
                if model is not None:
                    maps = yield from predict(model, data.images, part, study.compute)
                    predictions = dict(zip(part, maps, strict=True))
                desk = LedgerDesk(ledger, data.pool.ids, index, predictions, data.images.size)
                for place, row in enumerate(part):
                    yield Progress("annotating", start + place, len(left))
                    correct(
                        desk,
                        row,
                        self.reference.read([row])[0],
                        self.how,
                        seed=(study.seed, index),
                        spacing=_pixel(study, row),
                    )
            labels = LedgerLabels(ledger, data.images, self.reference)
        return replace(study, data=replace(data, labels=labels))

    def told(self, round: Round, study: Study, before: Mapping[str, float]) -> Work[Round]:
        """Add to a finished round what its labels cost.

        Parameters
        ----------
        round : Round
            As `run_round` gave it.
        study : Study
            Of the run.
        before : mapping
            ``annotated`` of the round before; empty for the first.
        """
        with self._ledger(study) as ledger:
            round = with_cost(round, study, ledger, before)
        correlation = yield from effort_correlation(round, self.reference)
        return replace(round, effort={**round.effort, **correlation})

    def _ledger(self, study: Study) -> Ledger:
        data = study.data
        return Ledger(
            self.folder / FILE_NAME, images_key=images_key(data.images), classes=data.labels.classes
        )


def with_cost(
    round: Round,
    study: Study,
    ledger: Ledger,
    before: Mapping[str, float],
    until: int | None = None,
) -> Round:
    """Add to a finished round what the labels in a ledger cost that it asked for.

    Labels that came from the reference cost nothing; how many they are is told beside it.

    Parameters
    ----------
    round, study, before
        As in `Annotating.told`.
    ledger : Ledger
        The annotations.
    until : int, optional
        Number of the last entry that the round was trained on; all count if not given.
    """
    classes = study.data.labels.classes
    names = [str(each) for each in study.data.pool.ids]
    labeled = np.flatnonzero(round.pool.labeled).tolist()
    spacing = {names[row]: _pixel(study, row) for row in labeled}
    cost = cost_of_round(ledger, round.index, len(classes), spacing, until=until)
    total = {name: before.get(name, 0) + each for name, each in cost.amounts().items()}
    drawn = {sample for sample, _ in ledger.accepted(until)}
    total[GIVEN] = sum(names[row] not in drawn for row in labeled)
    return replace(round, effort=cost.plain(classes), annotated={**round.annotated, **total})


def effort_correlation(round: Round, reference: LabelSource) -> Work[dict[str, float]]:
    """Rank correlation of predicted effort with what the held references say.

    Parameters
    ----------
    round : Round
        With its evidence.
    reference : LabelSource
        The references of the pool.

    Returns
    -------
    dict
        ``"spearman"``: between the predicted effort of the rows that were free, and the contour
        pixels that their predictions do not share with the references; ``"spearman_rows"``: of
        how many rows. Empty if the strategy needs no `PredictedEffort`, or there are no two rows
        that differ.
    """
    from scipy.stats import spearmanr

    from workbench.training.predict import predict

    needs = [need for need in round.strategy.needs() if isinstance(need, PredictedEffort)]
    source = round.evidence
    if not needs or source is None or round.model is None:
        return {}
    evidence = yield from source.gather(round.strategy.needs())
    images = source.study.data.images
    free = np.flatnonzero(round.pool.free & reference.available)
    measured = np.zeros(len(free))
    for start in range(0, len(free), TOGETHER):
        part = free[start : start + TOGETHER]
        maps = yield from predict(round.model, images, part, source.study.compute)
        truths = reference.read(part)
        for place, (prediction, truth) in enumerate(zip(maps, truths, strict=True), start):
            found = measure_effort(prediction, truth, len(reference.classes))
            measured[place] = (found.reference - found.shared).sum()
    predicted = np.asarray(evidence[needs[0]])[free]
    if len(np.unique(predicted)) < 2 or len(np.unique(measured)) < 2:
        return {}
    correlation = float(spearmanr(predicted, measured).statistic)
    return {"spearman": correlation, "spearman_rows": len(free)}


def _pixel(study: Study, row: int) -> tuple[float, float]:
    """Size of a pixel of a row along h and w, mm."""
    spacing = study.data.images.spacing[int(study.data.pool.case_of[row])]
    return float(spacing[1]), float(spacing[2])
