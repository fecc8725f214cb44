"""How much two masks overlap: Dice, with a rule for the empty case.

A Dice coefficient is 0 / 0 where neither prediction nor reference has a pixel.
Both are right then, so it counts as 1; otherwise every tumor-free slice would
pass for the hardest one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["dice", "dice_of_counts"]


def dice_of_counts(
    overlap: ArrayLike, prediction: ArrayLike, reference: ArrayLike
) -> NDArray[np.float64]:
    """Dice from pixel counts, elementwise; 1 where both are empty."""
    both = np.asarray(prediction, dtype=np.float64) + np.asarray(reference, dtype=np.float64)
    twice = 2.0 * np.asarray(overlap, dtype=np.float64)
    return np.divide(twice, both, out=np.ones_like(both), where=both > 0)


def dice(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Dice coefficient of two masks of the same shape, from 0 to 1; 1 if both are empty."""
    p, r = np.asarray(prediction, dtype=bool), np.asarray(reference, dtype=bool)
    return float(dice_of_counts((p & r).sum(), p.sum(), r.sum()))
