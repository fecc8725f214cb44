"""Find the nearest points in a cone, compiled.

Points are kept in tiles of neighbors: halves of halves, each split across its
widest dimension, down to `TILE` points. A search first bounds each tile by its
box: no point in it is nearer than the box, and none has a larger component
along the cone's axis than the box's farthest corner. It opens the nearest tiles
first, and of the others only those whose box is not farther than the worst
distance kept and reaches into the cone. Within a tile distances and
angles are measured together, without branches.

A box is measured dimension by dimension as its points are, and rounding keeps
order, so that what is bounded away would not have been found.

Importing this module imports numba and compiles (or reads from numba's cache),
so it is imported by those who have enough to search: see `cone`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["TILE", "Tiles", "first_nearest", "nearest", "tile"]

#: Points in a tile: few, so that boxes are small; a multiple of what a processor adds at once.
TILE = 64
#: Tiles opened nearest first; the others follow as they are stored.
_BEST_FIRST = 8
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


@njit("int64[::1](float64[:,::1])", cache=True, nogil=True)  # type: ignore[untyped-decorator]
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


@njit(
    "void(float64[:,::1], int64[::1], float64[:,:,::1], float64[:,::1], float64[:,::1])",
    cache=True,
    nogil=True,
)  # type: ignore[untyped-decorator]
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


# What follows is compiled apart so that each loop over a tile becomes vector instructions.
@njit(  # type: ignore[untyped-decorator]
    "void(float64[:,::1], float64[::1], float64[::1])", cache=True, nogil=True
)
def _distances(tile: Any, apex: Any, squared: Any) -> Any:  # pragma: no cover - compiled
    """Squared distances, summed in order of the dimensions."""
    dims = len(apex)
    for j in range(TILE):
        squared[j] = 0.0
    for k in range(dims):
        at = apex[k]
        for j in range(TILE):
            difference = tile[k, j] - at
            squared[j] += difference * difference


@njit(
    "void(float64[:,::1], float64[::1], float64[::1], float64[::1], float64[::1])",
    cache=True,
    nogil=True,
)  # type: ignore[untyped-decorator]
def _distances_and_angles(
    tile: Any, apex: Any, axis: Any, squared: Any, dot: Any
) -> Any:  # pragma: no cover - compiled
    """Squared distances and components along the axis, likewise."""
    dims = len(apex)
    for j in range(TILE):
        squared[j] = 0.0
        dot[j] = 0.0
    for k in range(dims):
        at, direction = apex[k], axis[k]
        for j in range(TILE):
            difference = tile[k, j] - at
            squared[j] += difference * difference
            dot[j] += difference * direction


@njit("boolean(float64[::1], float64)", cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _any_near(squared: Any, worst: Any) -> Any:  # pragma: no cover - compiled
    near = 0
    for j in range(TILE):
        near += squared[j] <= worst
    return near > 0


@njit(  # type: ignore[untyped-decorator]
    "boolean(float64[::1], float64[::1], float64, float64)", cache=True, nogil=True
)
def _any_inside(
    squared: Any, dot: Any, worst: Any, least_ratio: Any
) -> Any:  # pragma: no cover - compiled
    """Whether any point may be near and inside, without a root: nothing inside fails this."""
    near = 0
    for j in range(TILE):
        ratio = dot[j] * abs(dot[j]) >= least_ratio * squared[j] - 1e-300
        near += (squared[j] <= worst) & ratio
    return near > 0


_SIGNATURE = (
    "int64(float64[:,:,::1], int64[::1], boolean[::1], float64[:,::1], float64[:,::1],"
    " float64[::1], float64[::1], float64, boolean, int64[::1], float64[::1])"
)


@njit(_SIGNATURE, cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _nearest(
    points: Any,
    rows: Any,
    open_: Any,
    lows: Any,
    highs: Any,
    apex: Any,
    axis: Any,
    cos_max: Any,
    conical: Any,
    found: Any,
    found_squared: Any,
) -> Any:  # pragma: no cover - compiled
    tiles, dims = points.shape[:2]
    wanted = len(found)
    squared = np.empty(TILE)
    dot = np.empty(TILE)
    count = 0
    worst = np.inf

    bound = np.zeros(tiles)
    for k in range(dims):
        at, low, high = apex[k], lows[k], highs[k]
        for t in range(tiles):
            gap = max(max(low[t] - at, at - high[t]), 0.0)
            bound[t] += gap * gap
    if conical and cos_max >= 0.0:
        reach = np.zeros(tiles)
        for k in range(dims):
            at, direction = apex[k], axis[k]
            corner = highs[k] if direction >= 0.0 else lows[k]
            for t in range(tiles):
                reach[t] += (corner[t] - at) * direction
        for t in range(tiles):
            if reach[t] < cos_max * np.sqrt(bound[t]):
                bound[t] = np.inf  # nothing of it inside

    least_ratio = cos_max * abs(cos_max)
    least_ratio -= 1e-9 * abs(least_ratio)
    opened = 0
    following = 0
    while True:
        if opened < _BEST_FIRST:
            chosen = 0
            least = np.inf
            for t in range(tiles):
                if bound[t] < least:
                    least = bound[t]
                    chosen = t
            opened += 1
            if least > worst or least == np.inf:
                break
        else:
            while following < tiles and (bound[following] > worst or bound[following] == np.inf):
                following += 1
            if following == tiles:
                break
            chosen = following
        bound[chosen] = np.inf
        tile = points[chosen]
        first = chosen * TILE
        if conical:
            _distances_and_angles(tile, apex, axis, squared, dot)
            near = _any_inside(squared, dot, worst, least_ratio)
        else:
            _distances(tile, apex, squared)
            near = _any_near(squared, worst)
        if not near:
            continue
        if conical:  # an impossible distance for what lies outside
            for j in range(TILE):
                if dot[j] < cos_max * np.sqrt(squared[j]):
                    squared[j] = np.inf
        for j in range(TILE):
            if squared[j] > worst or not open_[first + j] or squared[j] == np.inf:
                continue
            row = rows[first + j]
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
            found[place] = first + j
            if count == wanted:
                worst = found_squared[count - 1]
    return count


@njit(
    "void(float64[:,:,::1], int64[::1], boolean[::1], float64[:,::1], float64[:,::1],"
    " float64[:,::1], float64[:,::1], float64, boolean[::1], int64[:,::1], int64[::1],"
    " int64[:,::1], int64[::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def _first(
    points: Any,
    rows: Any,
    open_: Any,
    lows: Any,
    highs: Any,
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
            lows,
            highs,
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
                lows,
                highs,
                apexes[i],
                axes[i],
                cos_max,
                False,
                around[i],
                kept[: around.shape[1]],
            )
        else:
            around_counts[i] = -1


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


def nearest(
    tiles: Tiles,
    apex: NDArray[np.float64],
    axis: NDArray[np.float64],
    cos_max: float,
    conical: bool,
    wanted: int,
) -> NDArray[np.int64]:
    """Find the free points nearest to an apex, inside a cone or anywhere.

    Parameters
    ----------
    tiles : Tiles
        Where to search.
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
        Points of `tiles`, nearest first.
    """
    found = np.empty(wanted, dtype=np.int64)
    squared = np.empty(wanted)
    count = _nearest(*tiles, apex, axis, cos_max, conical, found, squared)
    return found[:count]


def first_nearest(
    tiles: Tiles,
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
    tiles, cos_max
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
        Points inside the cone; and, only where it is empty, those nearest in any direction.
    """
    m = len(apexes)
    inside = np.empty((m, wanted), dtype=np.int64)
    nearby = np.empty((m, around), dtype=np.int64)
    counts, nearby_counts = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)

    def search(part: slice) -> None:
        _first(
            *tiles,
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
