"""Find the step that moves the sources as far as is wished."""

from __future__ import annotations

import math
from collections.abc import Callable

from workbench.errors import TrainingError

__all__ = ["find_step"]

#: Relative accuracy of the displacement that is reached.
ACCURACY = 0.005


def find_step(moved: Callable[[float], float], target: float, start: float) -> float:
    """Bisect the logarithm of a step until it moves things as far as is wished.

    Parameters
    ----------
    moved : callable
        Takes a step above 0 and returns how far it moves things; continuous, 0 at 0.
    target : float
        The distance that is wished, above 0.
    start : float
        Where to begin, above 0.

    Returns
    -------
    float
        A step whose distance is within half a percent of `target`.

    Raises
    ------
    TrainingError
        If no step of a sensible size moves things that far.
    """

    def excess(log_step: float) -> float:
        return moved(math.exp(log_step)) / target - 1.0

    middle = math.log(start)
    outward = 2.0 if excess(middle) < 0 else -2.0
    other = middle
    for _ in range(30):
        middle, other = other, other + outward
        if (excess(other) < 0) != (outward > 0):
            break
    else:
        raise TrainingError(
            "No step along the gradient moves the sources as far as is wished: the manifold "
            "hardly answers to a change of the image. Train the VAE longer or with a lower beta."
        )
    low, high = min(middle, other), max(middle, other)
    while high - low > 1e-6:
        middle = (low + high) / 2
        found = excess(middle)
        if abs(found) < ACCURACY:
            break
        low, high = (middle, high) if found < 0 else (low, middle)
    return math.exp(middle)
