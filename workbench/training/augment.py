"""Vary the labeled slices or volumes while training: flips, intensity, elastic deformation.

What happens to a slice is decided by (seed, round, epoch, sample) alone, so a
round can be repeated without replaying those before it, and no other slice of
the batch matters. The work is done for a whole batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

__all__ = ["Augmentation", "augment"]


@dataclass(frozen=True)
class Augmentation:
    """How strongly slices are varied.

    Parameters
    ----------
    flip : float
        Probability of a flip along each axis, 0 to 1.
    gain : float
        Largest relative change of a channel's contrast.
    shift : float
        Largest shift of a channel, in units of the scaled image (standard deviations);
        pixels that are exactly 0 are background and stay 0.
    elastic : float
        Standard deviation of the displacement at control points, as a share of the
        image's side; 0 switches the deformation off.
    points : int
        Control points along each side, at least 3; the border ones do not move.
    """

    flip: float = 0.5
    gain: float = 0.15
    shift: float = 0.15
    elastic: float = 0.025
    points: int = 6


@dataclass(frozen=True, eq=False)
class _Draws:
    flips: NDArray[np.bool_]  # (m, a), a axes
    gain: NDArray[np.float32]  # (m, c)
    shift: NDArray[np.float32]  # (m, c)
    elastic: NDArray[np.float32]  # (m, a, p, p, ...), normalized coordinates


def augment(
    images: torch.Tensor,
    labels: torch.Tensor,
    samples: Sequence[int] | NDArray[np.integer],
    *,
    seed: int,
    round: int,
    epoch: int,
    strength: Augmentation = Augmentation(),
    mirrored: Sequence[int] | None = (),
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vary a batch of images together with their labels.

    Parameters
    ----------
    images : Tensor, shape (m, c, h, w) or (m, c, d, h, w)
    labels : Tensor of int, shape (m, h, w) or (m, d, h, w)
        Moved exactly as the images are, by nearest neighbor.
    samples : sequence of int, length m
        Row of each image in the pool.
    seed, round, epoch : int
        Together with its row they decide all that happens to an image.
    strength : Augmentation
        How strongly.
    mirrored : sequence of int or None
        The class that each class becomes where a slice is flipped left to right, see
        `workbench.cohort.sides.mirrored_classes`; empty: itself. None: no such flip.

    Returns
    -------
    images, labels : Tensor
        New tensors of the same shapes and types.
    """
    size = tuple(images.shape[2:])
    draws = _draw(samples, images.shape[1], len(size), seed, round, epoch, strength)
    if mirrored is None:
        draws.flips[:, -1] = False
    elif any(number != place for place, number in enumerate(mirrored)):
        table = torch.arange(256, dtype=labels.dtype, device=labels.device)
        table[: len(mirrored)] = torch.tensor(mirrored, dtype=labels.dtype)
        flipped = torch.from_numpy(draws.flips[:, -1]).to(labels.device)
        flipped = flipped.reshape(-1, *[1] * len(size))
        labels = torch.where(flipped, table[labels.long()], labels)
    device = images.device
    gain, shift = (
        torch.from_numpy(values).to(device, images.dtype).reshape(*values.shape, *[1] * len(size))
        for values in (draws.gain, draws.shift)
    )
    changed = images * gain + shift * (images != 0)
    grid = _grid(draws, size).to(device, images.dtype)
    moved = functional.grid_sample(
        changed, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    moved_labels = functional.grid_sample(
        labels[:, None].to(images.dtype),
        grid,
        mode="nearest",
        padding_mode="border",
        align_corners=False,
    )
    return moved, moved_labels[:, 0].to(labels.dtype)


def _draw(
    samples: Sequence[int] | NDArray[np.integer],
    channels: int,
    axes: int,
    seed: int,
    round: int,
    epoch: int,
    strength: Augmentation,
) -> _Draws:
    count, points = len(samples), strength.points
    flips = np.zeros((count, axes), bool)
    gain = np.ones((count, channels), np.float32)
    shift = np.zeros((count, channels), np.float32)
    elastic = np.zeros((count, axes, *[points] * axes), np.float32)
    inside = (slice(None), *[slice(1, -1)] * axes)
    for index, sample in enumerate(samples):
        rng = np.random.default_rng((seed, round, epoch, int(sample)))
        flips[index] = rng.random(axes) < strength.flip
        gain[index] = 1 + strength.gain * rng.uniform(-1, 1, channels)
        shift[index] = strength.shift * rng.uniform(-1, 1, channels)
        # Twice, because the normalized coordinates of grid_sample run from -1 to 1.
        inner = rng.standard_normal((axes, *[points - 2] * axes))
        elastic[index][inside] = 2 * strength.elastic * inner
    return _Draws(flips, gain, shift, elastic)


def _grid(draws: _Draws, size: tuple[int, ...]) -> torch.Tensor:
    """Where each pixel of the result is read from: (m, h, w, 2), x before y; of volumes x, y, z."""
    axes = len(size)
    signs = torch.from_numpy(np.where(draws.flips, -1.0, 1.0).astype(np.float32))
    offset = functional.interpolate(
        torch.from_numpy(draws.elastic),
        size,
        mode="bicubic" if axes == 2 else "trilinear",
        align_corners=True,
    )
    places = []
    for axis, side in enumerate(size):
        line = (torch.arange(side, dtype=torch.float32) * 2 + 1) / side - 1
        along = line.reshape(1, *(side if a == axis else 1 for a in range(axes)))
        places.append(along * signs[:, axis].reshape(-1, *[1] * axes) + offset[:, axis])
    return torch.stack(places[::-1], dim=-1)
