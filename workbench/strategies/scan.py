"""Find the nearest points in a cone, compiled.

Points are sorted along one latent dimension, the widest. A search starts at the
apex and walks outward in both directions, block by block; it stops on a side
where the difference along that one dimension alone exceeds the worst distance
kept. Within a block distances come first, angles only for points that are near
enough. So few points are touched where the pool is dense, and where it is
empty every point is touched once.

Importing this module imports numba and compiles (or reads from numba's cache),
so it is imported by those who have enough to search: see `cone`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["first_nearest", "nearest"]

#: Points that are handled at once; a block of ten dimensions fits the first-level cache.
BLOCK = 256

_SIGNATURE = (
    "int64(float64[:,::1], int64[::1], boolean[::1], int64, float64[::1], float64[::1],"
    " float64, boolean, int64[::1], float64[::1])"
)


@njit(_SIGNATURE, cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _nearest(
    points: Any,
    rows: Any,
    open_: Any,
    along: Any,
    apex: Any,
    axis: Any,
    cos_max: Any,
    conical: Any,
    found: Any,
    found_squared: Any,
) -> Any:  # pragma: no cover - compiled
    dims, n = points.shape
    wanted = len(found)
    squared = np.empty(256)
    dot = np.empty(256)
    count = 0
    worst = np.inf
    start = np.searchsorted(points[along], apex[along])
    right = start
    left = start
    right_on = right < n
    left_on = left > 0
    crowded = conical
    go_right = True
    while right_on or left_on:
        if not right_on:
            go_right = False
        elif not left_on:
            go_right = True
        if go_right:
            gap = points[along, right] - apex[along]
            if gap * gap > worst:
                right_on = False
                go_right = False
                continue
            low = right
            high = min(right + 256, n)
            right = high
            right_on = right < n
        else:
            gap = points[along, left - 1] - apex[along]
            if gap * gap > worst:
                left_on = False
                go_right = True
                continue
            high = left
            low = max(left - 256, 0)
            left = low
            left_on = left > 0
        size = high - low
        for j in range(size):
            squared[j] = 0.0
            dot[j] = 0.0
        if crowded:  # angles of the whole block at once
            for k in range(dims):
                at = apex[k]
                direction = axis[k]
                line = points[k, low:high]
                for j in range(size):
                    difference = line[j] - at
                    squared[j] += difference * difference
                    dot[j] += difference * direction
        else:
            for k in range(dims):
                at = apex[k]
                line = points[k, low:high]
                for j in range(size):
                    difference = line[j] - at
                    squared[j] += difference * difference
        near = 0
        for j in range(size):
            near += squared[j] <= worst
        whole = crowded
        crowded = conical and near > 16
        if near > 0:
            if whole:  # an impossible distance for what lies outside
                for j in range(size):
                    if dot[j] < cos_max * np.sqrt(squared[j]):
                        squared[j] = np.inf
            for j in range(size):
                if squared[j] > worst or not open_[low + j] or squared[j] == np.inf:
                    continue
                if conical and not whole:
                    total = 0.0
                    for k in range(dims):
                        total += (points[k, low + j] - apex[k]) * axis[k]
                    if total < cos_max * np.sqrt(squared[j]):
                        continue
                row = rows[low + j]
                # insert by (distance, row)
                if count < wanted:
                    place = count
                    count += 1
                elif squared[j] < found_squared[count - 1] or row < rows[found[count - 1]]:
                    place = count - 1
                else:
                    continue
                while place > 0 and (
                    found_squared[place - 1] > squared[j]
                    or (found_squared[place - 1] == squared[j] and rows[found[place - 1]] > row)
                ):
                    found_squared[place] = found_squared[place - 1]
                    found[place] = found[place - 1]
                    place -= 1
                found_squared[place] = squared[j]
                found[place] = low + j
                if count == wanted:
                    worst = found_squared[count - 1]
        go_right = not go_right
    return count


@njit(
    "void(float64[:,::1], int64[::1], boolean[::1], int64, float64[:,::1], float64[:,::1],"
    " float64, boolean[::1], int64[:,::1], int64[::1], int64[:,::1], int64[::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def _first(
    points: Any,
    rows: Any,
    open_: Any,
    along: Any,
    apexes: Any,
    axes: Any,
    cos_max: Any,
    conical: Any,
    inside: Any,
    inside_counts: Any,
    around: Any,
    around_counts: Any,
) -> Any:  # pragma: no cover - compiled
    kept = np.empty(max(inside.shape[1], around.shape[1]))
    for i in range(len(apexes)):
        inside_counts[i] = _nearest(
            points,
            rows,
            open_,
            along,
            apexes[i],
            axes[i],
            cos_max,
            conical[i],
            inside[i],
            kept[: inside.shape[1]],
        )
        if inside_counts[i] == 0:
            around_counts[i] = _nearest(
                points,
                rows,
                open_,
                along,
                apexes[i],
                axes[i],
                cos_max,
                False,
                around[i],
                kept[: around.shape[1]],
            )
        else:
            around_counts[i] = -1


def nearest(
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    free: NDArray[np.bool_],
    along: int,
    apex: NDArray[np.float64],
    axis: NDArray[np.float64],
    cos_max: float,
    conical: bool,
    wanted: int,
) -> NDArray[np.int64]:
    """Find the free points nearest to an apex, inside a cone or anywhere.

    Parameters
    ----------
    points : ndarray of float64, shape (d, n)
        Points, a column each, sorted along dimension `along`.
    rows : ndarray of int64, shape (n,)
        The row that each column stands for; the lower row wins a tie in distance.
    free : ndarray of bool, shape (n,)
        Columns that may be found.
    along : int
        The dimension that the columns are sorted by.
    apex, axis : ndarray of float64, shape (d,)
        Tip of the cone, and its direction of length 1.
    cos_max : float
        Least cosine that is inside.
    conical : bool
        False: `axis` and `cos_max` are ignored.
    wanted : int
        How many to find, at least 1.

    Returns
    -------
    ndarray of int64, shape (at most wanted,)
        Columns, nearest first.
    """
    found = np.empty(wanted, dtype=np.int64)
    squared = np.empty(wanted)
    count = _nearest(points, rows, free, along, apex, axis, cos_max, conical, found, squared)
    return found[:count]


def first_nearest(
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    free: NDArray[np.bool_],
    along: int,
    apexes: NDArray[np.float64],
    axes: NDArray[np.float64],
    cos_max: float,
    conical: NDArray[np.bool_],
    wanted: int,
    around: int,
) -> list[tuple[NDArray[np.int64], NDArray[np.int64] | None]]:
    """Search for many apexes at once, on all processors.

    Parameters
    ----------
    points, rows, free, along, cos_max
        As in `nearest`.
    apexes, axes : ndarray of float64, shape (m, d)
        Tip and direction of each cone.
    conical : ndarray of bool, shape (m,)
        Apexes that have a cone at all.
    wanted, around : int
        How many to find inside each cone; and in any direction, where a cone is empty.

    Returns
    -------
    list of length m of (inside, nearest)
        Columns inside the cone; and, only where it is empty, those nearest in any direction.
    """
    m = len(apexes)
    inside = np.empty((m, wanted), dtype=np.int64)
    nearby = np.empty((m, around), dtype=np.int64)
    counts, nearby_counts = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)

    def search(part: slice) -> None:
        _first(
            points,
            rows,
            free,
            along,
            apexes[part],
            axes[part],
            cos_max,
            conical[part],
            inside[part],
            counts[part],
            nearby[part],
            nearby_counts[part],
        )

    parts = [slice(low, low + 16) for low in range(0, m, 16)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        list(threads.map(search, parts))
    return [
        (inside[i, : counts[i]], None if counts[i] else nearby[i, : nearby_counts[i]])
        for i in range(m)
    ]
