"""Where a mask ends: its contour in pixels, of numpy masks and torch masks alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["contour"]

Mask = TypeVar("Mask", "NDArray[np.bool_]", "torch.Tensor")


def contour(mask: Mask) -> Mask:
    """Mark the pixels of masks that have a 4-neighbor outside (method.md §6).

    That is the mask minus its 4-connected erosion; what lies outside of the image is
    background, so a mask that touches the border ends there.

    Parameters
    ----------
    mask : ndarray or Tensor of bool, shape (..., h, w)
        One mask or many; each slice of a volume is a mask of its own.

    Returns
    -------
    ndarray or Tensor of bool
        Of the same shape.
    """
    edge: Any = mask | mask  # a copy, of either kind
    inner = mask[..., :-2, 1:-1] & mask[..., 2:, 1:-1] & mask[..., 1:-1, :-2] & mask[..., 1:-1, 2:]
    edge[..., 1:-1, 1:-1] &= ~inner
    return edge  # type: ignore[no-any-return]
