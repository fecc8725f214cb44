"""Serve the free samples of one selection to its sources, nearest first.

A `Queue` holds the next candidates of one source and fetches more when other
sources have taken them. It asks a search: `PlainSearch` measures every sample
with numpy, which is at once done for a dozen sources; `CompiledSearch` searches
tiles of neighbors with numba (see `scan`), which is worth its import for hundreds.
Both sum in the same order and so find the same rows.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ANYWHERE",
    "FALLBACK",
    "CompiledSearch",
    "Cone",
    "PlainSearch",
    "Queue",
    "Search",
    "least_angle",
    "measure",
]

#: The least cosine that asks for no direction: every cosine is above it.
ANYWHERE = -2.0

#: Nearest free samples among which the fallback looks for the smallest angle.
FALLBACK = 50
#: Candidates that one source fetches at a time, at most.
LONGEST_QUEUE = 256
#: Nearest ones fetched for the fallback: some more, for those that other sources will take.
NEAREST_AT_ONCE = FALLBACK + 14


class Cone(NamedTuple):
    """Where one source looks for samples.

    Parameters
    ----------
    apex, axis : ndarray of float64, shape (d,)
        z', and the direction of z' − z, of length 1 (0 where there is none).
    least_cosine : float
        Least cosine to the axis that is inside; `ANYWHERE` for any direction.
    """

    apex: NDArray[np.float64]
    axis: NDArray[np.float64]
    least_cosine: float

    def opened(self) -> Cone:
        """The same apex, in any direction."""
        return self._replace(least_cosine=ANYWHERE)


class Search(Protocol):
    """The free samples of one selection; `take` makes one of them unfree."""

    def nearest(self, cone: Cone, wanted: int) -> NDArray[np.int64]:
        """Return up to `wanted` free rows inside a cone, nearest first."""
        ...

    def is_free(self, rows: Any) -> Any:
        """Tell of one row, or of each, whether it can still be taken."""
        ...

    def take(self, row: int) -> None:
        """Let nobody find this row again."""
        ...


class PlainSearch:
    """Measure every free sample with numpy: at once, for a dozen sources."""

    def __init__(self, z: NDArray[np.float64], free: NDArray[np.bool_]) -> None:
        self._rows = np.flatnonzero(free)
        self._columns = np.ascontiguousarray(z[self._rows].T)
        self._free = free

    def nearest(self, cone: Cone, wanted: int) -> NDArray[np.int64]:
        """Return up to `wanted` free rows inside a cone, nearest first."""
        squared, dot = measure(self._columns.T, cone)
        inside = self._free[self._rows]
        inside &= dot >= cone.least_cosine * np.sqrt(squared)
        candidates = np.flatnonzero(inside)
        distances = squared[candidates]
        if len(candidates) > wanted:
            limit = np.partition(distances, wanted - 1)[wanted - 1]
            candidates = candidates[distances <= limit]
            distances = squared[candidates]
        order = np.argsort(distances, kind="stable")[:wanted]
        return self._rows[candidates[order]]

    def is_free(self, rows: Any) -> Any:
        """Tell of one row, or of each, whether it can still be taken."""
        return self._free[rows]

    def take(self, row: int) -> None:
        """Let nobody find this row again."""
        self._free[row] = False


class CompiledSearch:
    """Search samples in tiles with `scan.nearest`."""

    def __init__(self, z: NDArray[np.float64], free: NDArray[np.bool_]) -> None:
        from workbench.strategies.scan import first_nearest, nearest

        self._scan, self._scan_many = nearest, first_nearest
        self._tiles, self._place = _tiled(z)
        self._rows: NDArray[np.int64]
        self._open: NDArray[np.bool_]
        self._rows, self._open = self._tiles.rows, self._tiles.free
        self._open[self._place] = free

    def nearest(self, cone: Cone, wanted: int) -> NDArray[np.int64]:
        """Return up to `wanted` free rows inside a cone, nearest first."""
        return self._rows[self._scan(self._tiles, *cone, wanted)]

    def is_free(self, rows: Any) -> Any:
        """Tell of one row, or of each, whether it can still be taken."""
        return self._open[self._place[rows]]

    def take(self, row: int) -> None:
        """Let nobody find this row again."""
        self._open[self._place[row]] = False

    def prefetch(self, queues: list[Queue]) -> None:
        """Fill all queues at once, before anything is taken; all want as many."""
        cones = [queue.cone for queue in queues]
        apexes, axes, cosines = (np.array(part) for part in zip(*cones, strict=True))
        found = self._scan_many(
            self._tiles, apexes, axes, cosines, queues[0].wanted, NEAREST_AT_ONCE
        )
        for queue, (inside, nearest) in zip(queues, found, strict=True):
            queue.offer(self._rows[inside], None if nearest is None else self._rows[nearest])


#: The latent space that was tiled last: a slider asks about the same one again and again.
_latest: tuple[weakref.ref[NDArray[np.float64]], Any, NDArray[np.int64]] | None = None


def _tiled(z: NDArray[np.float64]) -> tuple[Any, NDArray[np.int64]]:
    """Tiles of all rows, none of them free yet, and the place of each row in them, shape (n,).

    Kept for the next call where `z` is read-only, so that nothing can change under the tiles.
    """
    global _latest
    kept = _latest
    if kept is not None and kept[0]() is z:
        _, tiles, place = kept
    else:
        from workbench.strategies.tiles import tile

        tiles = tile(z, np.arange(len(z)))
        place = np.empty(len(z), dtype=np.int64)
        place[tiles.rows[tiles.free]] = np.flatnonzero(tiles.free)
        _latest = None if z.flags.writeable else (weakref.ref(z), tiles, place)
    return tiles._replace(free=np.zeros_like(tiles.free)), place


class Queue:
    """The candidates of one source, nearest first, fetched a few at a time."""

    def __init__(self, search: Search, z: NDArray[np.float64], cone: Cone, wanted: int) -> None:
        self.cone, self.wanted = cone, min(wanted, LONGEST_QUEUE)
        self._search, self._z = search, z
        self._inside: list[int] = []  # nearest last
        self._inside_all = False  # nothing beyond what was fetched
        self._nearest: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._nearest_all = False

    def take(self, fallback: bool = True) -> tuple[int | None, bool]:
        """Take the next sample; tell also whether it lies outside the cone.

        Without `fallback`, None where no free sample is left inside.
        """
        row = self._next_inside()
        outside = row is None
        if row is None:
            if not fallback:
                return None, True
            row = self._least_angle()
        self._search.take(row)
        return row, outside

    def offer(self, inside: NDArray[np.int64], nearest: NDArray[np.int64] | None) -> None:
        """Accept the first candidates; `nearest` where there are none inside."""
        self._accept_inside(inside)
        if nearest is not None:
            self._accept_nearest(nearest)

    def _next_inside(self) -> int | None:
        while True:
            while self._inside:
                row = self._inside.pop()
                if self._search.is_free(row):
                    return row
            if self._inside_all:
                return None
            self._accept_inside(self._search.nearest(self.cone, self.wanted))

    def _accept_inside(self, found: NDArray[np.int64]) -> None:
        self._inside_all = len(found) < self.wanted
        self.wanted = min(4 * self.wanted, LONGEST_QUEUE)
        self._inside = found[::-1].tolist()

    def _least_angle(self) -> int:
        near = self._nearest[self._search.is_free(self._nearest)]
        if len(near) < FALLBACK and not self._nearest_all:
            self._accept_nearest(self._search.nearest(self.cone.opened(), NEAREST_AT_ONCE))
            near = self._nearest
        return least_angle(self._z, near[:FALLBACK], self.cone)

    def _accept_nearest(self, found: NDArray[np.int64]) -> None:
        self._nearest = found
        self._nearest_all = len(found) < NEAREST_AT_ONCE


def least_angle(z: NDArray[np.float64], rows: NDArray[np.int64], cone: Cone) -> int:
    """Return the row of smallest angle to the axis; none of them lies at the apex."""
    squared, dot = measure(z[rows], cone)
    return int(rows[np.argmax(dot / np.sqrt(squared))])


def measure(z: NDArray[np.float64], cone: Cone) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared distance to the apex and component along the axis, summed in order."""
    squared = np.zeros(len(z))
    dot = np.zeros(len(z))
    for k in range(z.shape[1]):
        difference = z[:, k] - cone.apex[k]
        dot += difference * cone.axis[k]
        squared += difference * difference
    return squared, dot
