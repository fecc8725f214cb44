"""Score a network as the papers do: Dice of whole volumes, then the mean over cases.

Predictions are made slice by slice and only their pixel counts are kept, so a
test set of any size is scored in the same memory.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workbench.cohort.label_source import LabelSource
from workbench.errors import TrainingError
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.training.loop import Images
from workbench.training.overlap import dice, dice_of_counts
from workbench.training.predict import predict_batches

__all__ = ["dice", "dice_by_case", "evaluate"]


def dice_by_case(
    model: nn.Module, images: Images, labels: LabelSource, compute: Compute, batch: int = 64
) -> Work[Mapping[str, NDArray[np.float64]]]:
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

    Returns
    -------
    mapping of str to ndarray, shape (cases,)
        Dice per region and case; 1 where a region is in neither volume.

    Raises
    ------
    TrainingError
        If no row has a label.
    """
    rows = np.flatnonzero(labels.available)
    if not len(rows):
        raise TrainingError(
            "There is no labeled case to score the model on. Hold out cases with labels for "
            "testing."
        )
    return _by_case(model, images, labels, rows, compute, batch)


def _by_case(
    model: nn.Module,
    images: Images,
    labels: LabelSource,
    rows: NDArray[np.int64],
    compute: Compute,
    batch: int,
) -> Generator[Progress, None, Mapping[str, NDArray[np.float64]]]:
    cases, case_of = np.unique(images.case_of[rows], return_inverse=True)
    member = np.zeros((len(labels.regions), len(labels.classes)), bool)
    for index, classes in enumerate(labels.regions.values()):
        member[index, list(classes)] = True
    counts = np.zeros((3, len(cases), len(labels.regions)), np.int64)
    done = 0
    for part, logits in predict_batches(model, images, rows, compute, batch):
        of = case_of[done : done + len(part)]
        predicted = logits.argmax(dim=1).to("cpu", torch.uint8).numpy()
        reference = labels.read(part)
        for index, inside in enumerate(member):
            p, r = inside[predicted], inside[reference]
            for kind, mask in enumerate((p & r, p, r)):
                np.add.at(counts[kind, :, index], of, mask.sum(axis=(1, 2)))
        done += len(part)
        yield Progress("scoring the model", done, len(rows))
    scores = dice_of_counts(*counts)
    return {region: scores[:, index] for index, region in enumerate(labels.regions)}


def evaluate(
    model: nn.Module, images: Images, labels: LabelSource, compute: Compute, batch: int = 64
) -> Work[Mapping[str, float]]:
    """Mean Dice over cases for every region, and ``"mean"`` over the regions.

    Parameters are those of `dice_by_case`.
    """
    by_case = yield from dice_by_case(model, images, labels, compute, batch)
    scores = {region: float(values.mean()) for region, values in by_case.items()}
    return {**scores, "mean": float(np.mean(list(scores.values())))}
