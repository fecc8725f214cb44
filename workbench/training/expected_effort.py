"""How much contour an annotator would have to draw, before anybody draws it.

Dropout passes stand for what may turn out to be right: where they put a contour at the same
pixels, a correction would save it; where they do not, it would be drawn anew.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.models.variants import reseed_dropout, sampling_copy
from workbench.training.contours import contour
from workbench.training.loop import Images, at_once, in_order
from workbench.training.measures import check_dropout

__all__ = ["effort_between", "expected_effort"]


def expected_effort(
    network: nn.Module,
    images: Images,
    rows: ArrayLike,
    compute: Compute,
    passes: int,
    seed: tuple[int, ...],
    batch: int = 64,
) -> Work[NDArray[np.float64]]:
    """Predict slices several times with dropout on, and compare the contours of every pair.

    Parameters
    ----------
    network, images, rows, compute, seed, batch
        As in `workbench.training.measures.sample`.
    passes : int
        Predictions of each slice, at least 2; only their contours are kept, for one batch.

    Returns
    -------
    ndarray of float64, shape (m,)
        See `effort_between`.

    Raises
    ------
    TrainingError
        If the network has no dropout.
    """
    chosen = np.asarray(rows, dtype=np.int64)
    effort = np.zeros(len(chosen))
    check_dropout(network)
    network = sampling_copy(compute.place(network))
    for part, done in in_order(len(chosen), at_once(images, batch)):
        x = compute.tensor(images.read(chosen[part]))
        reseed_dropout(network, *seed, part.start)
        edges = []
        for _ in range(passes):
            with torch.no_grad(), compute.autocast():
                logits = network(x)
            predicted = logits.argmax(dim=1)
            each = [contour(predicted == k) for k in range(1, logits.shape[1])]
            edges.append(torch.stack(each, dim=1))
            yield Progress("predicting the effort", part.start, len(chosen))
        effort[part] = effort_between(edges).cpu().numpy()
        yield Progress("predicting the effort", done, len(chosen))
    return effort


def effort_between(edges: list[torch.Tensor]) -> torch.Tensor:
    """Contour pixels that one prediction would have to be corrected by, if another were right.

    For each class the mean over ordered pairs of predictions of 1 − C / L (pairs whose L is 0
    have no value), times the mean length L of their contours; then the sum over classes.

    Parameters
    ----------
    edges : list of at least two Tensor of bool, shape (m, k - 1, ..., h, w)
        Contours of each foreground class in each prediction.

    Returns
    -------
    Tensor of float64, shape (m,)
        Pixels, at least 0.
    """
    count = torch.stack(edges).sum(dim=0)  # predictions whose contour a pixel is on
    lengths, drawn = [], []
    for edge in edges:
        length = edge.flatten(2).sum(dim=2).double()
        # Over all other predictions together, C is a count of them at each pixel of this contour.
        shared = torch.where(edge, count - 1, 0).flatten(2).sum(dim=2).double()
        lengths.append(length)
        drawn.append(1 - shared / (len(edges) - 1) / length)  # NaN where L is 0
    expected = torch.stack(drawn).nanmean(dim=0).nan_to_num(0.0)
    return (expected * torch.stack(lengths).mean(dim=0)).sum(dim=1)
