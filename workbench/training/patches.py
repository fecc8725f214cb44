"""Train on patches of images that are too large for a step.

Where a patch lies is decided by (seed, round, epoch, sample), as augmentation is: a
round can be repeated, and no other image of the batch matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["FOREGROUND_SHARE", "cut_patches", "passes_of"]

#: Share of the patches whose middle is not background, where there is anything else.
FOREGROUND_SHARE = 0.5


def passes_of(size: Sequence[int], patch: Sequence[int] | None) -> int:
    """Count the patches that cover an image: so often an epoch comes to it, one patch each time.

    Parameters
    ----------
    size : sequence of int
        Sides of an image.
    patch : sequence of int or None
        Sides of a patch; None for whole images, which are covered at once.
    """
    if patch is None:
        return 1
    return math.prod(math.ceil(whole / side) for whole, side in zip(size, patch, strict=True))


def cut_patches(
    images: torch.Tensor,
    labels: torch.Tensor,
    size: Sequence[int],
    samples: Sequence[int] | NDArray[np.integer],
    *,
    seed: int,
    round: int,
    epoch: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut one patch out of each image, at the same place of its label map.

    Parameters
    ----------
    images : Tensor, shape (m, c, ...)
    labels : Tensor of int, shape (m, ...)
    size : sequence of int
        Sides of a patch; longer ones than the image's are cut to them.
    samples : sequence of int, length m
        Row of each image in the pool.
    seed, round, epoch : int
        Together with its row they decide where an image is cut; the passes of an epoch count on.

    Returns
    -------
    images, labels : Tensor
        Of the patches.
    """
    from monai.transforms.utils import generate_pos_neg_label_crop_centers

    shape = tuple(labels.shape[1:])
    sides = [min(side, whole) for side, whole in zip(size, shape, strict=True)]
    parts = []
    for place, sample in enumerate(samples):
        marked = labels[place].numpy().ravel() != 0
        if marked.all() or not marked.any():  # all alike: either list is every pixel
            inside = outside = np.arange(len(marked))
        else:
            inside, outside = np.flatnonzero(marked), np.flatnonzero(~marked)
        drawn = np.random.SeedSequence((seed, round, epoch, int(sample))).generate_state(1)
        (middle,) = generate_pos_neg_label_crop_centers(
            sides,
            1,
            FOREGROUND_SHARE,
            shape,
            inside,
            outside,
            np.random.RandomState(drawn),
        )
        image, label = images[place], labels[place]
        for axis, (at, side) in enumerate(zip(middle, sides, strict=True)):
            image = image.narrow(axis + 1, int(at) - side // 2, side)
            label = label.narrow(axis, int(at) - side // 2, side)
        parts.append((image, label))
    return torch.stack([image for image, _ in parts]), torch.stack([label for _, label in parts])
