"""Put points into tiles of neighbors, each with the box around it.

Halves of halves, each split across its widest dimension, down to `TILE` points:
a search can tell from a tile's box that nothing in it is wanted (see `scan`).

Importing this module imports numba; see `scan`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["TILE", "Tiles", "tile"]

#: Points in a tile: few, so that boxes are small; a multiple of what a processor adds at once.
#: Compiled code is kept by file: after a change, delete the ``__pycache__`` folders.
TILE = 64
#: Points of a node, evenly spread, that tell which dimension is its widest.
_PROBES = 32


class Tiles(NamedTuple):
    """Points in tiles; the last tile is filled up with points that are not free.

    Parameters
    ----------
    points : ndarray of float64, shape (t, d, TILE)
        Coordinates; point p is ``points[p // TILE, :, p % TILE]``.
    rows : ndarray of int64, shape (t · TILE,)
        The row that each point stands for, −1 for filling; the lower row wins a tie in distance.
    free : ndarray of bool, shape (t · TILE,)
        Points that may be found; to be changed by the caller.
    low, high : ndarray of float64, shape (d, t)
        The box around each tile.
    """

    points: NDArray[np.float64]
    rows: NDArray[np.int64]
    free: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _order(samples: Any) -> Any:  # pragma: no cover - compiled
    """Order in which each run of `TILE` samples is a tile."""
    n, dims = samples.shape
    order = np.arange(n)
    value = np.empty(n)
    waiting = [(0, n)]
    while len(waiting) > 0:
        begin, end = waiting.pop()
        tiles = (end - begin + TILE - 1) // TILE
        if tiles < 2:
            continue
        step = max((end - begin) // _PROBES, 1)
        widest, width = 0, -1.0
        for k in range(dims):
            total, squares, count = 0.0, 0.0, 0
            origin = samples[order[begin], k]
            for p in range(begin, end, step):
                difference = samples[order[p], k] - origin
                total += difference
                squares += difference * difference
                count += 1
            spread = squares - total * total / count
            if spread > width:
                widest, width = k, spread
        for p in range(begin, end):
            value[p] = samples[order[p], widest]
        middle = begin + tiles // 2 * TILE
        low, high = begin, end - 1
        while low < high:  # Hoare's selection
            pivot = value[(low + high) // 2]
            i, j = low, high
            while i <= j:
                while value[i] < pivot:
                    i += 1
                while value[j] > pivot:
                    j -= 1
                if i <= j:
                    value[i], value[j] = value[j], value[i]
                    order[i], order[j] = order[j], order[i]
                    i += 1
                    j -= 1
            if middle <= j:
                high = j
            elif middle >= i:
                low = i
            else:
                break
        waiting.append((begin, middle))
        waiting.append((middle, end))
    return order


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(
    samples: Any, order: Any, points: Any, lows: Any, highs: Any
) -> Any:  # pragma: no cover - compiled
    """Copy the samples into their tiles, the last one again to the end; draw the boxes."""
    n, dims = samples.shape
    for t in range(len(points)):
        for j in range(TILE):
            sample = samples[order[min(t * TILE + j, n - 1)]]
            for k in range(dims):
                points[t, k, j] = sample[k]
        for k in range(dims):
            low = high = points[t, k, 0]
            for j in range(1, TILE):
                low = min(low, points[t, k, j])
                high = max(high, points[t, k, j])
            lows[k, t], highs[k, t] = low, high


def tile(samples: NDArray[np.float64], rows: NDArray[np.int64]) -> Tiles:
    """Put points into tiles, all free.

    Parameters
    ----------
    samples : ndarray of float64, shape (n, d)
        Points, at least one.
    rows : ndarray of int64, shape (n,)
        The row that each stands for.

    Returns
    -------
    Tiles
    """
    n, dims = samples.shape
    count = -(-n // TILE)
    points = np.empty((count, dims, TILE))
    low, high = np.empty((dims, count)), np.empty((dims, count))
    order = _order(samples)
    _fill(samples, order, points, low, high)
    free = np.arange(count * TILE) < n
    row = np.full(count * TILE, -1, dtype=np.int64)
    row[:n] = rows[order]
    return Tiles(points, row, free, low, high)
