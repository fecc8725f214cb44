"""Find the nearest points in a cone, compiled.

A search first bounds each tile (see `tiles`) by its box: no point in it is
nearer than the box, and none has a larger component along the cone's axis than
the box's farthest corner. It opens the nearest tiles first, and of the others
only those whose box is not farther than the worst distance kept and reaches
into the cone. Within a tile distances and angles are measured together, without
branches.

A box is measured dimension by dimension as its points are, and rounding keeps
order, so that what is bounded away would not have been found.

Importing this module imports numba, and its first use compiles (or reads from
numba's cache): only those who have enough to search do it (see `cone`).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workbench.strategies.search import ANYWHERE
from workbench.strategies.tiles import TILE, Tiles, tile

__all__ = ["first_nearest", "nearest", "warm_up"]

#: Tiles opened nearest first; the others follow as they are stored.
_BEST_FIRST = 8


# These two are compiled apart so that each loop over a tile becomes vector instructions.
@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _measure(
    points: Any, apex: Any, axis: Any, squared: Any, dot: Any
) -> None:  # pragma: no cover - compiled
    """Squared distances and components along the axis, summed in order of the dimensions."""
    for j in range(TILE):
        squared[j] = 0.0
        dot[j] = 0.0
    for k in range(len(apex)):
        at, direction = apex[k], axis[k]
        for j in range(TILE):
            difference = points[k, j] - at
            squared[j] += difference * difference
            dot[j] += difference * direction


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _any_inside(
    squared: Any, dot: Any, worst: Any, least_ratio: Any
) -> Any:  # pragma: no cover - compiled
    """Whether any point may be near and inside, without a root: nothing inside fails this."""
    near = 0
    for j in range(TILE):
        ratio = dot[j] * abs(dot[j]) >= least_ratio * squared[j] - 1e-300
        near += (squared[j] <= worst) & ratio
    return near > 0


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _bounds(
    tiles: Any, apex: Any, axis: Any, least_cosine: Any
) -> Any:  # pragma: no cover - compiled
    """Squared distance to each tile's box; infinite where nothing of it is inside."""
    d, count = tiles.low.shape
    bound = np.zeros(count)
    for k in range(d):
        at, low, high = apex[k], tiles.low[k], tiles.high[k]
        for t in range(count):
            gap = max(max(low[t] - at, at - high[t]), 0.0)
            bound[t] += gap * gap
    if least_cosine >= 0.0:
        reach = np.zeros(count)
        for k in range(d):
            at, direction = apex[k], axis[k]
            corner = tiles.high[k] if direction >= 0.0 else tiles.low[k]
            for t in range(count):
                reach[t] += (corner[t] - at) * direction
        for t in range(count):
            if reach[t] < least_cosine * np.sqrt(bound[t]):
                bound[t] = np.inf
    return bound


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _nearest(
    tiles: Any, apex: Any, axis: Any, least_cosine: Any, found: Any
) -> Any:  # pragma: no cover - compiled
    """Fill `found` with points, nearest first, and tell how many there are; see `nearest`."""
    bound = _bounds(tiles, apex, axis, least_cosine)
    least_ratio = least_cosine * abs(least_cosine)
    least_ratio -= 1e-9 * abs(least_ratio)
    squared, dot = np.empty(TILE), np.empty(TILE)
    wanted, count = len(found), 0
    kept = np.empty(wanted)  # squared distance of each of `found`
    worst = np.inf
    opened = following = 0
    while True:
        if opened < _BEST_FIRST:
            chosen = bound.argmin()
            opened += 1
            if bound[chosen] > worst or bound[chosen] == np.inf:
                break
        else:
            while following < len(bound) and (
                bound[following] > worst or bound[following] == np.inf
            ):
                following += 1
            if following == len(bound):
                break
            chosen = following
        bound[chosen] = np.inf
        _measure(tiles.points[chosen], apex, axis, squared, dot)
        if not _any_inside(squared, dot, worst, least_ratio):
            continue
        for j in range(TILE):  # an impossible distance for what lies outside
            if dot[j] < least_cosine * np.sqrt(squared[j]):
                squared[j] = np.inf
        first = chosen * TILE
        for j in range(TILE):
            if squared[j] > worst or not tiles.free[first + j] or squared[j] == np.inf:
                continue
            row = tiles.rows[first + j]
            # insert by (distance, row)
            if count < wanted:
                place = count
                count += 1
            elif squared[j] < kept[count - 1] or row < tiles.rows[found[count - 1]]:
                place = count - 1
            else:
                continue
            while place > 0 and (
                kept[place - 1] > squared[j]
                or (kept[place - 1] == squared[j] and tiles.rows[found[place - 1]] > row)
            ):
                kept[place] = kept[place - 1]
                found[place] = found[place - 1]
                place -= 1
            kept[place] = squared[j]
            found[place] = first + j
            if count == wanted:
                worst = kept[count - 1]
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _first(
    tiles: Any, apexes: Any, axes: Any, least_cosines: Any, inside: Any, around: Any, counts: Any
) -> None:  # pragma: no cover - compiled
    """Fill a row of `inside`, or else of `around`, for each apex; see `first_nearest`."""
    for i in range(len(apexes)):
        counts[i, 0] = _nearest(tiles, apexes[i], axes[i], least_cosines[i], inside[i])
        if counts[i, 0] == 0:
            counts[i, 1] = _nearest(tiles, apexes[i], axes[i], ANYWHERE, around[i])


def nearest(
    tiles: Tiles,
    apex: NDArray[np.float64],
    axis: NDArray[np.float64],
    least_cosine: float,
    wanted: int,
) -> NDArray[np.int64]:
    """Find the free points nearest to an apex, inside a cone or anywhere.

    Parameters
    ----------
    tiles : Tiles
        Where to search.
    apex, axis : ndarray of float64, shape (d,)
        Tip of the cone, and its direction of length 1.
    least_cosine : float
        Least cosine that is inside; `ANYWHERE` for any direction.
    wanted : int
        How many to find, at least 1.

    Returns
    -------
    ndarray of int64, shape (at most wanted,)
        Points of `tiles`, nearest first.
    """
    found = np.empty(wanted, dtype=np.int64)
    # Copies: arrays that cannot be written would be another type, and compiled for again.
    return found[: _nearest(tiles, apex.copy(), axis.copy(), least_cosine, found)]


def first_nearest(
    tiles: Tiles,
    apexes: NDArray[np.float64],
    axes: NDArray[np.float64],
    least_cosines: NDArray[np.float64],
    wanted: int,
    around: int,
) -> list[tuple[NDArray[np.int64], NDArray[np.int64] | None]]:
    """Search for many apexes at once, on all processors.

    Parameters
    ----------
    tiles : Tiles
        Where to search.
    apexes, axes : ndarray of float64, shape (m, d)
        Tip and direction of each cone.
    least_cosines : ndarray of float64, shape (m,)
        As in `nearest`, for each cone.
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
    counts = np.zeros((m, 2), dtype=np.int64)

    def search(part: slice) -> None:
        _first(
            tiles,
            apexes[part],
            axes[part],
            least_cosines[part],
            inside[part],
            nearby[part],
            counts[part],
        )

    parts = [slice(low, low + 16) for low in range(0, m, 16)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        list(threads.map(search, parts))
    return [
        (inside[i, :found], None if found else nearby[i, :near])
        for i, (found, near) in enumerate(counts.tolist())
    ]


def warm_up() -> None:
    """Compile all that searches use, by one of each."""
    tiles = tile(np.zeros((1, 1)), np.zeros(1, dtype=np.int64))
    one = np.ones((1, 1))
    first_nearest(tiles, one, one, one[0], 1, 1)
    nearest(tiles, one[0], one[0], 1.0, 1)
