"""Choose few samples that stand for many.

`max_cover` picks greedily what is similar to as many samples as possible that
are not covered yet; `farthest_first` picks what is farthest from all that was
picked. Neither holds an n × n matrix: similarities are computed for a block of
candidates at a time, and a candidate is looked at again only while it can still
be the best.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["farthest_first", "max_cover", "unit_length"]

#: Similarities that are held at once.
BLOCK = 4_000_000
#: Candidates that are looked at again together.
AGAIN = 16


def unit_length(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scale rows to length 1, shape (n, f); a row of zeros stays as it is."""
    length = np.sqrt(np.einsum("ij,ij->i", features, features))
    length[length == 0] = 1.0
    unit: NDArray[np.floating] = features / length[:, None]
    return unit


def max_cover(
    unit: NDArray[np.floating],
    candidates: NDArray[np.integer],
    covered: NDArray[np.float64] | None = None,
) -> Iterator[int]:
    """Pick candidates, each time the one that covers most besides those before it.

    What a set S of picks covers is ``F(S) = Σ_u max_{c ∈ S} cos(c, u)``, u running over all
    samples (Yang et al. 2017). Its gain can only shrink while S grows, so most candidates
    need not be looked at again (lazy greedy); the picks are those of plain greedy.

    Parameters
    ----------
    unit : ndarray of float, shape (n, f)
        The samples that are to be covered, of length 1 (see `unit_length`).
    candidates : ndarray of int, shape (c,)
        Rows of `unit` that may be picked.
    covered : ndarray of float64, shape (n,), optional
        Highest cosine of each sample to earlier picks, −1 where there is none; it is kept up
        to date, so that a later call goes on from there.

    Yields
    ------
    int
        A candidate after the other, until there is none left; the lower one at a tie.
    """
    rows = np.sort(np.asarray(candidates, dtype=np.int64))
    covered = np.full(len(unit), -1.0) if covered is None else covered
    # Where they are few, similarities are computed once and held.
    held = unit[rows] @ unit.T if len(rows) * len(unit) <= BLOCK else None
    gains = _gains(unit, rows, held, covered)
    known = np.zeros(len(rows), dtype=np.int64)  # the number of picks when a gain was computed
    for number in range(len(rows)):
        while known[best := int(np.argmax(gains))] < number:
            again = np.argpartition(-gains, min(AGAIN, len(gains)) - 1)[:AGAIN]
            again = again[(known[again] < number) & (gains[again] > -np.inf)]
            again = np.union1d(again, best)
            gains[again] = _gains(unit, rows[again], None if held is None else held[again], covered)
            known[again] = number
        gains[best] = -np.inf
        similar = unit @ unit[rows[best]] if held is None else held[best]
        np.maximum(covered, similar, out=covered)
        yield int(rows[best])


def _gains(
    unit: NDArray[np.floating],
    rows: NDArray[np.int64],
    held: NDArray[np.floating] | None,
    covered: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How much each row would add to what is covered; rounded, so that equal rows tie."""
    gains = np.empty(len(rows))
    size = max(BLOCK // max(len(unit), 1), 1)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        more = (unit[rows[part]] @ unit.T if held is None else held[part]) - covered
        gains[part] = np.maximum(more, 0.0, out=more).sum(axis=1)
    return np.round(gains, 9)


def farthest_first(
    points: NDArray[np.floating], centers: NDArray[np.integer], free: NDArray[np.bool_]
) -> Iterator[int]:
    """Pick free points, each time the one farthest from its nearest center (k-center greedy).

    Parameters
    ----------
    points : ndarray of float, shape (n, f)
        Where the samples lie.
    centers : ndarray of int, shape (m,)
        Rows that are centers from the start; every pick becomes one.
    free : ndarray of bool, shape (n,)
        Rows that may be picked.

    Yields
    ------
    int
        A free row after the other, the lower one at a tie. Without any center, the row
        nearest to the mean of the free ones comes first.
    """
    squares = np.einsum("ij,ij->i", points, points).astype(np.float64)
    nearest = np.full(len(points), np.inf)
    chosen = np.asarray(centers, dtype=np.int64)
    size = max(BLOCK // max(len(points), 1), 1)
    for start in range(0, len(chosen), size):
        part = chosen[start : start + size]
        squared = squares[part, None] + squares - 2.0 * (points[part] @ points.T)
        np.minimum(nearest, squared.min(axis=0), out=nearest)
    open_ = np.array(free, dtype=bool)
    for number in range(int(open_.sum())):
        if number == 0 and not len(chosen):
            middle = points[open_].mean(axis=0)
            far = -(squares - 2.0 * (points @ middle))
        else:
            far = nearest
        row = int(np.argmax(np.where(open_, far, -np.inf)))
        open_[row] = False
        distance = squares[row] + squares - 2.0 * (points @ points[row])
        np.minimum(nearest, distance, out=nearest)
        yield row
