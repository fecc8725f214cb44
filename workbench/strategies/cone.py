"""Choose the pool samples that lie nearest to a source, in the direction of its loss.

A source moves along its loss gradient from z to z'. Its *cone* has its apex at
z', its axis along z' − z and the half-angle θ. In passes, each source takes the
nearest free sample inside its cone (Dai 2020 eq. 4, Dai 2022 eqs. 5 and 6).

The selection is exact in float64: distances and cosines are summed dimension by
dimension, in the same order wherever they are computed, so that a small search
(numpy, at once) and a large one (compiled, see `scan`) pick the same rows as a
plain loop would. Ties in distance go to the lower row. A cosine counts as
inside up to `TOLERANCE` below the limit, so that a sample exactly on the
surface of the cone, or on its axis at θ = 0, is inside in spite of rounding.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError
from workbench.strategies.base import Suggestions
from workbench.strategies.search import (
    ANYWHERE,
    FALLBACK,
    CompiledSearch,
    Cone,
    PlainSearch,
    Queue,
    Search,
    measure,
)

__all__ = [
    "FALLBACK",
    "TOLERANCE",
    "Picks",
    "axes_of",
    "check_finite",
    "cones_of",
    "described",
    "inside_cone",
    "least_cosine",
    "select_in_passes",
    "served_sources",
    "warm_up",
]

#: Distances (sources times samples) from which the compiled search is worth waiting for its
#: import: below, numpy takes a few ten milliseconds. Once it is imported, it serves sooner.
COMPILED_FROM, COMPILED_FROM_ONCE_WARM = 4_000_000, 100_000
#: How far a cosine may lie below the limit and count as inside, against rounding.
TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Picks:
    """What was picked, in the order in which it was picked.

    Parameters
    ----------
    rows : ndarray of int, shape (k,)
        Rows of the pool, all distinct.
    source : ndarray of int, shape (k,)
        Which source each was picked for, an index from 0 to m − 1.
    distance : ndarray of float, shape (k,)
        Euclidean distance to the source's z', in latent units.
    angle : ndarray of float, shape (k,)
        Degrees between the axis z' − z and the direction from z' to the pick, from 0 to 180;
        NaN where the source has no direction or the pick lies at z' itself.
    flags : tuple of str, length k
        ``""``, ``"outside_cone"`` or ``"no_direction"``.
    """

    rows: NDArray[np.int64]
    source: NDArray[np.int64]
    distance: NDArray[np.float64]
    angle: NDArray[np.float64]
    flags: tuple[str, ...]

    def suggestions(self, sources: NDArray[np.integer]) -> Suggestions:
        """Tell the picks as rows of the pool, `sources` being those of the m sources."""
        return Suggestions(
            rows=self.rows,
            source=np.asarray(sources)[self.source],
            distance=self.distance,
            angle=self.angle,
            flags=self.flags,
        )


def select_in_passes(
    z: NDArray[np.float64],
    free: NDArray[np.bool_],
    source_z: NDArray[np.float64],
    shifted: NDArray[np.float64],
    max_angle: float,
    budget: int,
    rng: np.random.Generator,
    fallback: bool = True,
) -> Picks:
    """Give each source, pass after pass, its next nearest free sample inside its cone.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
        Latent code of every row of the pool.
    free : ndarray of bool, shape (n,)
        Rows that may be picked.
    source_z, shifted : ndarray of float64, shape (m, d)
        Latent codes of the sources, z and z', in the order in which they are served.
    max_angle : float
        Half-angle θ of the cones in degrees, from 0 to 180; 180 is no condition.
    budget : int
        How many rows to pick; no more are picked than are free.
    rng : numpy.random.Generator
        Chooses which sources are served if there are more of them than `budget`;
        not touched otherwise.
    fallback : bool
        Whether a source whose cone holds no free sample gets one outside of it.

    Returns
    -------
    Picks
        A source whose cone holds no free sample gets the one of smallest angle among its
        `FALLBACK` nearest free ones, marked ``outside_cone``, or without `fallback` none, so
        that there can be fewer picks than the budget; a source with z' = z gets its nearest
        free one, marked ``no_direction``. Empty if there is no source.

    Raises
    ------
    SettingError
        If the angle is out of range, or a latent code is not finite.
    """
    limit = least_cosine(max_angle)
    z = np.ascontiguousarray(z, dtype=np.float64)
    source_z = np.asarray(source_z, dtype=np.float64).reshape(-1, z.shape[1])
    shifted = np.ascontiguousarray(shifted, dtype=np.float64).reshape(-1, z.shape[1])
    free = np.array(free, dtype=bool)
    check_finite(z[free], source_z, shifted)
    axes, directed = axes_of(source_z, shifted)
    budget = min(budget, int(free.sum()))
    served = served_sources(len(shifted), budget, rng)
    if len(served) == 0:
        return described(z, shifted, axes, directed, [], [], [])

    cones = cones_of(shifted, axes, directed, limit)
    search: Search
    warm = "workbench.strategies.scan" in sys.modules
    if len(served) * int(free.sum()) >= (COMPILED_FROM_ONCE_WARM if warm else COMPILED_FROM):
        search = CompiledSearch(z, free)
    else:
        search = PlainSearch(z, free)
    passes = -(-budget // len(served))
    queues = {int(i): Queue(search, z, cones[i], passes + 1) for i in served}
    if isinstance(search, CompiledSearch):
        search.prefetch(list(queues.values()))
    rows: list[int] = []
    source: list[int] = []
    outside: list[bool] = []
    while queues and len(rows) < budget:
        for i, queue in list(queues.items()):
            row, is_outside = queue.take(fallback)
            if row is None:
                del queues[i]
                continue
            rows.append(row)
            source.append(i)
            outside.append(is_outside)
            if len(rows) == budget:
                break
    return described(z, shifted, axes, directed, rows, source, outside)


def inside_cone(
    z: NDArray[np.float64],
    source_z: NDArray[np.float64],
    shifted: NDArray[np.float64],
    max_angle: float,
) -> NDArray[np.bool_]:
    """Tell which points lie in the cone of one source.

    Parameters
    ----------
    z : ndarray of float64, shape (n, d)
        Points in latent space.
    source_z, shifted : ndarray of float64, shape (d,)
        Latent code of the source, z and z'.
    max_angle : float
        Half-angle θ in degrees, from 0 to 180; 180 is no condition.

    Returns
    -------
    ndarray of bool, shape (n,)
        All true without a condition or a direction (z' = z); a point at z' is inside.
    """
    apex = np.asarray(shifted, dtype=np.float64)[None]
    axes, directed = axes_of(np.asarray(source_z, dtype=np.float64)[None], apex)
    (cone,) = cones_of(apex, axes, directed, least_cosine(max_angle))
    squared, dot = measure(np.asarray(z, dtype=np.float64), cone)
    inside: NDArray[np.bool_] = dot >= cone.least_cosine * np.sqrt(squared)
    return inside


def warm_up() -> None:
    """Import and compile the large search now, so that no later one has to wait for it.

    Takes under a second when numba's cache is filled, a few seconds when it is not.
    """
    from workbench.strategies import scan

    scan.warm_up()


# ---------------------------------------------------------------- measuring
def least_cosine(max_angle: float) -> float:
    """The cosine from which a direction is inside; `ANYWHERE` for no condition."""
    if not 0.0 <= max_angle <= 180.0:  # also false for NaN
        raise SettingError(
            f"The cone's half-angle is {max_angle!r}. It is an angle in degrees from 0 to 180; "
            f"60 is the papers' choice and 180 switches the condition off."
        )
    return ANYWHERE if max_angle == 180.0 else math.cos(math.radians(max_angle)) - TOLERANCE


def axes_of(
    source_z: NDArray[np.float64], shifted: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Unit vectors along z' − z, shape (m, d), and where there is such a direction, shape (m,)."""
    steps = shifted - source_z
    largest = np.abs(steps).max(axis=1, initial=0.0)
    directed = largest > 0.0
    scaled = steps / np.where(directed, largest, 1.0)[:, None]  # no underflow in the squares
    length = np.sqrt((scaled * scaled).sum(axis=1))
    return np.ascontiguousarray(scaled / np.where(directed, length, 1.0)[:, None]), directed


def cones_of(
    shifted: NDArray[np.float64],
    axes: NDArray[np.float64],
    directed: NDArray[np.bool_],
    limit: float,
) -> list[Cone]:
    """A cone at each z', shape (m, d); open where there is no direction."""
    return [
        Cone(apex, axis, limit if has_direction else ANYWHERE)
        for apex, axis, has_direction in zip(shifted, axes, directed, strict=True)
    ]


def served_sources(m: int, budget: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which of m sources are served, ascending: all of them, or as many as the budget, drawn."""
    return np.arange(m) if budget >= m else np.sort(rng.permutation(m)[:budget])


def check_finite(
    z: NDArray[np.float64], source_z: NDArray[np.float64], shifted: NDArray[np.float64]
) -> None:
    """Refuse latent codes that are no numbers, of the free rows and of the sources.

    Raises
    ------
    SettingError
        Saying which, and how many.
    """
    limit = 1e150  # beyond it squares overflow
    for values, what in (
        (z, "the pool"),
        (source_z, "the sources (z)"),
        (shifted, "the sources after the step (z')"),
    ):
        if values.size and not (-limit < values.min() and values.max() < limit):  # also for NaN
            broken = int((~(np.abs(values) < limit)).any(axis=-1).sum())
            raise SettingError(
                f"Latent codes of {what} are not finite in {broken} rows. A smaller step alpha, "
                f"or a manifold trained anew, gives finite ones."
            )


def described(
    z: NDArray[np.float64],
    shifted: NDArray[np.float64],
    axes: NDArray[np.float64],
    directed: NDArray[np.bool_],
    rows: list[int],
    source: list[int],
    outside: list[bool],
) -> Picks:
    """Tell distance and angle of picks to the z' and axis of their sources (see `Picks`)."""
    picked = np.array(rows, dtype=np.int64)
    of = np.array(source, dtype=np.int64)
    offsets = z[picked] - shifted[of]
    distance = np.sqrt((offsets * offsets).sum(axis=1))
    along = (offsets * axes[of]).sum(axis=1)
    across = np.sqrt(((offsets - along[:, None] * axes[of]) ** 2).sum(axis=1))
    angle = np.degrees(np.arctan2(across, along))
    angle[~directed[of] | (distance == 0.0)] = np.nan
    flags = tuple(
        "no_direction" if not directed[i] else "outside_cone" if is_outside else ""
        for i, is_outside in zip(source, outside, strict=True)
    )
    return Picks(picked, of, distance, angle, flags)
