"""The two planes across a stack of slices, through one pixel, as they are displayed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from widgets.pictures import LETTERS

__all__ = ["Plane", "planes_across"]

#: Of each axis: the plane through a row and the one through a column of its slices, and whether
#: the slices stand side by side there (else one above the other). Slices are stored from the
#: lowest index of RAS+ up, that is, upward, forward and to the right.
_ACROSS = {
    "axial": (("coronal", False), ("sagittal", False)),
    "coronal": (("axial", False), ("sagittal", True)),
    "sagittal": (("axial", True), ("coronal", True)),
}


@dataclass(frozen=True, eq=False)
class Plane:
    """A cut through a stack of slices.

    Parameters
    ----------
    name : {"axial", "coronal", "sagittal"}
    picture : ndarray of float32, shape (h, w)
    spacing : tuple of float
        Pixel size (row, column) in mm.
    cross : tuple of int
        Row and column of the pixel that it goes through.
    letters : tuple of str
        At its left, right, top and bottom.
    """

    name: str
    picture: NDArray[np.float32]
    spacing: tuple[float, float]
    cross: tuple[int, int]
    letters: tuple[str, str, str, str]


def planes_across(
    stack: NDArray[np.float32],
    axis: str,
    place: tuple[int, int, int],
    spacing: tuple[float, float, float],
) -> tuple[Plane, Plane]:
    """Cut a stack of slices in the two other directions.

    Parameters
    ----------
    stack : ndarray of float32, shape (d, h, w)
        Slices as displayed (radiological), in the order of their index.
    axis : {"axial", "coronal", "sagittal"}
        Direction that the slices are cut across.
    place : tuple of int
        Slice, row and column of the pixel that both planes go through.
    spacing : tuple of float
        Distance of slices, rows and columns in mm.
    """
    at, row, column = place
    turned = len(stack) - 1 - at  # up, front and right come first in a picture
    found = []
    cuts = ((stack[::-1, row], column, spacing[2]), (stack[::-1, :, column], row, spacing[1]))
    for (name, beside), (picture, along, distance) in zip(_ACROSS[axis], cuts, strict=True):
        size, cross = (spacing[0], distance), (turned, along)
        if beside:
            picture, size, cross = picture.T, size[::-1], cross[::-1]
        found.append(Plane(name, np.ascontiguousarray(picture), size, cross, LETTERS[name]))
    return found[0], found[1]
