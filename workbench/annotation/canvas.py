"""What a drawing tool that is computed may look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Canvas", "Neighbor"]


@dataclass(frozen=True, eq=False)
class Neighbor:
    """An annotated slice of the same case.

    Parameters
    ----------
    distance : int
        How many slices away, at least 1.
    classes : ndarray of uint8, shape (h, w)
        Its label map.
    """

    distance: int
    classes: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Canvas:
    """A slice while it is drawn on, with what is around it.

    Parameters
    ----------
    image : ndarray of float32, shape (c, h, w)
        Every channel, in standard deviations of the scan.
    classes : ndarray of uint8, shape (h, w)
        The label map as it is drawn.
    class_count : int
        Classes, background included; those of the map are below it.
    spacing : tuple of float
        Pixel size (row, column) in mm.
    before, after : Neighbor or None
        The nearest annotated slices of the case with a lower and with a higher index.
    """

    image: NDArray[np.float32]
    classes: NDArray[np.uint8]
    class_count: int
    spacing: tuple[float, float]
    before: Neighbor | None = None
    after: Neighbor | None = None
