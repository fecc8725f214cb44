"""The gradient of a sample's own loss with respect to its image.

The losses of a batch are summed, never averaged, and the model is in eval mode
(batch norm would mix the samples otherwise): so one backward pass gives every
sample the gradient that it would have alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from workbench.cohort.label_source import LabelSource
from workbench.errors import TrainingError
from workbench.jobs import Progress, Work
from workbench.models.compute import Compute
from workbench.models.variants import reseed_dropout, sampling_copy
from workbench.training.augment import Augmentation, augment
from workbench.training.loop import Images, at_once, in_order
from workbench.training.losses import DICE, DiceLoss

__all__ = ["Variation", "input_gradients", "lengths", "scale_gradients"]

#: Contrast and brightness as in training, and nothing that would move a pixel.
INTENSITY = Augmentation(flip=0.0, elastic=0.0)


@dataclass(frozen=True)
class Variation:
    """Ask for the gradient at a variation of the image or of the network.

    Parameters
    ----------
    kind : {"intensity", "dropout"}
        Whether the image's contrast and brightness are varied, or dropout draws.
    number : int
        Which of several variations, from 0.
    seed, round : int
        Decide, with the number, what is varied.
    """

    kind: Literal["intensity", "dropout"]
    number: int
    seed: int
    round: int

    def image(self, x: torch.Tensor, target: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        """Return the images at which to take the gradient, shape (m, c, h, w)."""
        if self.kind == "dropout":
            return x
        return augment(
            x, target, rows, seed=self.seed, round=self.round, epoch=self.number, strength=INTENSITY
        )[0]

    def network(self, model: nn.Module) -> nn.Module:
        """Return the network whose gradient to take: a copy where dropout draws."""
        if self.kind == "intensity":
            return model
        copied = sampling_copy(model)
        reseed_dropout(copied, self.seed, self.round, self.number)
        return copied


def input_gradients(
    model: nn.Module,
    images: Images,
    labels: LabelSource,
    rows: ArrayLike,
    *,
    compute: Compute,
    criterion: DiceLoss = DICE,
    variation: Variation | None = None,
    batch: int = 32,
) -> Work[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Compute the input gradient of each sample's Dice loss.

    Parameters
    ----------
    model : Module
        The trained U-Net; in eval mode afterwards.
    images, labels
        Where slices and their labels come from.
    rows : array of int, shape (m,)
        Labeled rows.
    compute : Compute
        Device, threads and precision.
    criterion : DiceLoss
        The loss whose gradient it is; that of the training.
    variation : Variation, optional
        Where to take the gradient, if not at the images and the network as they are.
    batch : int
        Samples of one backward pass.

    Returns
    -------
    gradients : ndarray of float32, shape (m, c, h, w)
    losses : ndarray of float64, shape (m,)

    Raises
    ------
    TrainingError
        If a gradient is not finite.
    """
    sources = np.asarray(rows, dtype=np.int64).reshape(-1)
    shape = images.read(sources[:1]).shape[1:] if len(sources) else (1, 1, 1)
    gradients = np.empty((len(sources), *shape), dtype=np.float32)
    losses = np.empty(len(sources))
    model = compute.place(model).eval()
    for part, done in in_order(len(sources), at_once(images, batch)):
        x = compute.tensor(images.read(sources[part]))
        target = compute.tensor(torch.from_numpy(labels.read(sources[part])))
        if variation is not None:
            x = variation.image(x, target, sources[part])
        x = x.requires_grad_(True)
        as_asked = variation.network(model) if variation else model
        with compute.autocast():
            logits = as_asked(x)
        per_sample = criterion(logits, target)
        (gradient,) = torch.autograd.grad(per_sample.sum(), x)
        gradients[part] = gradient.float().cpu().numpy()
        losses[part] = per_sample.detach().double().cpu().numpy()
        yield Progress("computing loss gradients", done, len(sources))
    if not np.isfinite(gradients).all():
        raise TrainingError(
            "The loss gradient of a labeled image is not finite, so the model's weights are not "
            "usable. Train the round again with a lower learning rate."
        )
    return gradients, losses


def scale_gradients(gradients: NDArray[Any], scale: str) -> NDArray[Any]:
    """Scale each sample's gradient.

    Parameters
    ----------
    gradients : ndarray of float, shape (m, c, h, w)
    scale : {"raw", "l2", "sign"}
        As they are; divided by their Euclidean length; their signs.

    Returns
    -------
    ndarray, shape (m, c, h, w)
        Of the same type; a zero gradient stays zero.
    """
    if scale == "raw":
        return gradients
    if scale == "sign":
        return np.asarray(np.sign(gradients))
    length = lengths(gradients)
    length[length == 0] = 1.0
    unit = gradients / length.reshape(-1, *[1] * (gradients.ndim - 1))
    return np.asarray(unit, dtype=gradients.dtype)


def lengths(images: NDArray[Any]) -> NDArray[np.float64]:
    """Euclidean length of each image or gradient, shape (m,), summed in float64."""
    found = np.empty(len(images))
    for part, _ in in_order(len(images), 64):  # float64 takes twice the memory: a few at a time
        chosen = images[part].astype(np.float64)
        flat = chosen.reshape(len(chosen), math.prod(images.shape[1:]))
        found[part] = np.sqrt(np.einsum("ij,ij->i", flat, flat))
    return found
