"""Apply a trained network to many images while keeping little of what it says.

Logits and probabilities are never kept: those of 39,000 slices would fill the
memory. A caller of `predict_batches` reduces them, a batch at a time, to class
maps or to a number per slice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.cohort.cohort import IGNORED
from workbench.cohort.label_maps import foreground
from workbench.cohort.label_source import LabelSource
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.training.loop import Images, at_once, in_order
from workbench.training.losses import DICE, DiceLoss
from workbench.training.overlap import dice_of_counts

__all__ = ["predict", "predict_batches", "score_rows"]


def predict_batches(
    model: nn.Module, images: Images, rows: ArrayLike, compute: Compute, batch: int = 64
) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
    """Iterate over batches of rows and their logits, (m, k, ...) in float32.

    The network is in eval mode afterwards.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    model = compute.place(model).eval()
    for part, _ in in_order(len(chosen), at_once(images, batch)):
        with torch.no_grad(), compute.autocast():
            logits = model(compute.tensor(images.read(chosen[part])))
        yield chosen[part], logits.float()


def predict(
    model: nn.Module, images: Images, rows: ArrayLike, compute: Compute, batch: int = 64
) -> Work[NDArray[np.uint8]]:
    """Predict the class of every pixel.

    Parameters
    ----------
    model : Module
        Maps images (m, c, ...) to logits (m, k, ...).
    images : ImageStore
        Where the images are read from.
    rows : array of int, shape (m,)
        Rows to predict.
    compute : Compute
        Where and in which precision.
    batch : int
        Slices predicted at once (see `at_once`).

    Returns
    -------
    ndarray of uint8, shape (m, h, w) or (m, d, h, w)
        Held in memory whole: for a few images or a small pool.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    maps: list[NDArray[np.uint8]] = []
    done = 0
    for part, logits in predict_batches(model, images, chosen, compute, batch):
        maps.append(logits.argmax(dim=1).to("cpu", torch.uint8).numpy())
        done += len(part)
        yield Progress("predicting", done, len(chosen))
    if not maps:
        return np.zeros((0, *images.read(np.zeros(0, np.int64)).shape[2:]), np.uint8)
    return np.concatenate(maps)


def score_rows(
    model: nn.Module,
    images: Images,
    labels: LabelSource,
    rows: ArrayLike,
    compute: Compute,
    *,
    criterion: DiceLoss = DICE,
    batch: int = 64,
) -> Work[dict[str, NDArray[np.float64]]]:
    """Score the model on single slices, or volumes.

    Parameters
    ----------
    model, images, labels, rows, compute, batch
        As in `predict`; a row without a label scores NaN.
    criterion : DiceLoss
        The loss to tell.

    Returns
    -------
    dict
        ``"dice"``, shape (m,): Dice of everything that is not background, 1 where neither the
        prediction nor the reference has any, ignored pixels left out; ``"loss"``, shape (m,):
        the Dice loss.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    places = np.flatnonzero(labels.available[chosen])
    scores = {name: np.full(len(chosen), np.nan) for name in ("dice", "loss")}
    done = 0
    for part, logits in predict_batches(model, images, chosen[places], compute, batch):
        reference = labels.read(part)
        at = places[done : done + len(part)]
        loss = criterion(logits, compute.tensor(torch.from_numpy(reference)))
        scores["loss"][at] = loss.cpu().numpy()
        r = foreground(reference)
        p = (logits.argmax(dim=1).cpu().numpy() > 0) & (reference != IGNORED)
        counts = (mask.reshape(len(part), -1).sum(axis=1) for mask in (p & r, p, r))
        scores["dice"][at] = dice_of_counts(*counts)
        done += len(part)
        yield Progress("scoring the images", done, len(places))
    return scores
