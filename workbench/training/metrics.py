"""Score a network as the papers do: on whole volumes, then the mean over cases.

Slices, where the network takes slices, are predicted in batches and stacked back to the
volume of their case, one case at a time, so a test set of any size is scored in the same
memory. Slices that the store does not hold (blank ends, or slices without a label) count as
background in the prediction and in the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.cohort.cohort import IGNORED
from workbench.cohort.label_source import LabelSource
from workbench.cohort.pool import SampleId, SliceId
from workbench.errors import TrainingError
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.training.overlap import dice
from workbench.training.predict import predict_batches
from workbench.training.surfaces import surface_distances

__all__ = ["METRICS", "CaseScores", "dice", "evaluate", "mean_dice", "score_cases", "score_volume"]

#: Scores by case id, region and metric.
CaseScores = Mapping[str, Mapping[str, Mapping[str, float]]]

#: Every metric of `score_volume`, and what it says.
METRICS: Mapping[str, str] = {
    "dice": "Dice",
    "hd": "Hausdorff distance (mm)",
    "hd95": "95th percentile of the Hausdorff distance (mm)",
    "one_empty": "1 where exactly one of prediction and reference is empty",
}


class Volumes(Protocol):
    """What scoring sees of an image store: slices that belong to volumes."""

    @property
    def key(self) -> str: ...
    @property
    def channels(self) -> Sequence[str]: ...
    @property
    def ids(self) -> Sequence[SampleId]: ...
    @property
    def cases(self) -> Sequence[str]: ...
    @property
    def case_of(self) -> NDArray[np.int32]: ...
    @property
    def spacing(self) -> NDArray[np.float64]: ...

    def read(self, rows: ArrayLike) -> NDArray[np.float32]: ...


def score_volume(
    prediction: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    regions: Mapping[str, tuple[int, ...]],
    spacing: Sequence[float],
    distances: bool = True,
) -> Mapping[str, Mapping[str, float]]:
    """Compare two class maps region by region.

    Parameters
    ----------
    prediction, reference : ndarray of uint8, shape (d, h, w)
        The class of every voxel; where the reference is `IGNORED`, neither counts.
    regions : mapping of str to tuple of int
        Named unions of classes.
    spacing : sequence of float, length 3
        Distance of slices, rows and columns, mm.
    distances : bool
        Whether to measure surfaces too; without, only ``"dice"`` is given.

    Returns
    -------
    mapping of str to mapping of str to float
        By region, then by metric (`METRICS`). Where neither volume has the region, Dice
        is 1 and the distances are 0. Where exactly one has it, Dice is 0, ``"one_empty"``
        is 1 and the distances are the diagonal of the volume (see `surface_distances`),
        so the mean of ``"one_empty"`` is the share of distances that are penalties.
    """
    scores: dict[str, Mapping[str, float]] = {}
    counted = np.where(reference == IGNORED, 0, prediction)
    for region, classes in regions.items():
        p, r = (np.isin(volume, classes) for volume in (counted, reference))
        found = {"dice": dice(p, r)}
        if distances:
            found["hd"], found["hd95"] = surface_distances(p, r, spacing)
            found["one_empty"] = float(p.any() != r.any())
        scores[region] = found
    return scores


def score_cases(
    model: nn.Module,
    images: Volumes,
    labels: LabelSource,
    compute: Compute,
    batch: int = 64,
    distances: bool = True,
) -> Work[CaseScores]:
    """Score the predictions of every case, its slices stacked to a volume.

    Parameters
    ----------
    model : Module
        Maps images to logits.
    images, labels : ImageStore, LabelSource
        Of the cases to score; rows without a label are left out.
    compute : Compute
        Where and in which precision.
    batch : int
        Slices predicted at once.
    distances : bool
        Whether to measure surfaces too; without, only ``"dice"`` is given.

    Returns
    -------
    mapping of str to mapping of str to mapping of str to float
        Case id → region → metric, as `score_volume` defines them; the cases in the
        order of the store.

    Raises
    ------
    TrainingError
        If no row has a label.
    """
    known = np.flatnonzero(labels.available)
    if not len(known):
        raise TrainingError(
            "There is no labeled case to score the model on. Hold out cases with labels for "
            "testing."
        )
    rows = known[np.argsort(images.case_of[known], kind="stable")]
    scores: dict[str, Mapping[str, Mapping[str, float]]] = {}
    done = 0
    for case, part, predicted in _by_case(model, images, rows, compute, batch):
        ids = [images.ids[row] for row in part]
        prediction, reference = (_volume(ids, maps) for maps in (predicted, labels.read(part)))
        scores[images.cases[case]] = score_volume(
            prediction, reference, labels.regions, images.spacing[case].tolist(), distances
        )
        done += len(part)
        yield Progress("scoring the model", done, len(rows))
    return scores


def _by_case(
    model: nn.Module, images: Volumes, rows: NDArray[np.int64], compute: Compute, batch: int
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.uint8]]]:
    """Predict in whole batches; give number, rows and class maps of one case at a time."""
    case_of = images.case_of[rows]
    ends = [*(np.flatnonzero(np.diff(case_of)) + 1).tolist(), len(rows)]
    waiting: list[NDArray[np.uint8]] = []
    done = start = 0
    for part, logits in predict_batches(model, images, rows, compute, batch):
        waiting.append(logits.argmax(dim=1).to("cpu", torch.uint8).numpy())
        done += len(part)
        while ends and ends[0] <= done:
            end = ends.pop(0)
            maps = np.concatenate(waiting)
            waiting = [maps[end - start :]]
            yield int(case_of[start]), rows[start:end], maps[: end - start]
            start = end


def _volume(ids: Sequence[SampleId], maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stack the slices of a case by their places, shape (d, h, w); a volume is one already."""
    places = np.array([each.index for each in ids if isinstance(each, SliceId)])
    if not len(places):
        whole: NDArray[np.uint8] = maps[0]
        return whole
    places -= places.min()
    volume = np.zeros((int(places.max()) + 1, *maps.shape[1:]), np.uint8)
    volume[places] = maps
    return volume


def mean_dice(scores: CaseScores) -> Mapping[str, float]:
    """Mean Dice over cases for every region, and ``"mean"`` over the regions; empty without any."""
    if not scores:
        return {}
    regions = next(iter(scores.values()))
    means = {
        region: float(np.mean([case[region]["dice"] for case in scores.values()]))
        for region in regions
    }
    return {**means, "mean": float(np.mean(list(means.values())))}


def evaluate(
    model: nn.Module, images: Volumes, labels: LabelSource, compute: Compute, batch: int = 64
) -> Work[Mapping[str, float]]:
    """Mean Dice of the cases, as `mean_dice` gives it, without measuring surfaces.

    Parameters are those of `score_cases`.
    """
    scores = yield from score_cases(model, images, labels, compute, batch, distances=False)
    return mean_dice(scores)
