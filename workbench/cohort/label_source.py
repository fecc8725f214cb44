"""The only way to a label.

Training, probing and scoring ask a `LabelSource`; none of them opens a label
file. So it is one object that decides whether a label is the data set's
reference or a person's annotation, and a simulated run cannot peek.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LabelSource"]


class LabelSource(Protocol):
    """Gives the label maps of rows.

    Attributes
    ----------
    classes : tuple of str, length k
        Names of the classes; class 0 is the background.
    regions : mapping of str to tuple of int
        Named unions of classes that are scored and drawn.
    available : ndarray of bool, shape (n,)
        Rows for which there is a label.
    """

    classes: tuple[str, ...]
    regions: Mapping[str, tuple[int, ...]]
    available: NDArray[np.bool_]

    def read(self, rows: ArrayLike) -> NDArray[np.uint8]:
        """Return the class of every pixel of `rows`, shape (m, h, w)."""
        ...
