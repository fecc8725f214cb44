"""Two variants of gradient-guided sampling, our own, that leave what is labeled.

Faithful gradient-guided sampling takes what lies beside z', and z' lies beside a
labeled sample. So what it suggests resembles what is labeled: it stays in one part of
the manifold and repeats whatever the initial set had too little of (measured in
``docs/why-not-better-than-random.md``). Both variants let the gradients choose, but among
fewer samples: among a random draw, which has the composition of the pool, or among those
that lie apart from everything labeled. And both follow only sources that have foreground:
the gradients of the others are many times shorter, so that scaled to one length they are
mostly noise, and what lies beside such a source has rarely any foreground. Measured there,
it is the draw (or the distance) and the sources that help, not the direction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, Suggestions
from workbench.strategies.cone import (
    axes_of,
    check_finite,
    cones_of,
    described,
    least_cosine,
    served_sources,
)
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.needs import GradientScale, Latents, Need, Shift, ShiftedLatents, Sources
from workbench.strategies.search import FALLBACK, PlainSearch, least_angle

__all__ = ["GradientDrawn", "GradientSpread"]


@dataclass(frozen=True)
class Following:
    """What both variants share: the parameters of gradient-guided sampling, and `marked`."""

    marked: bool = True
    alpha: float | None = None
    displacement: float = 4.0
    scale: GradientScale = "l2"
    sources: Sources = "all"
    max_angle: float = 60.0

    def _guided(self) -> GradientGuided:
        return GradientGuided(
            self.alpha, self.displacement, self.scale, self.sources, self.max_angle
        )

    def shift(self) -> ShiftedLatents:
        """Where the sources move."""
        return self._guided().shift()

    def needs(self) -> frozenset[Need]:
        """Where everything lies in latent space, and where the sources move."""
        return self._guided().needs()

    def _check(self) -> None:
        self._guided()  # refuses what is out of range
        if not isinstance(self.marked, bool):
            raise SettingError(
                f"marked is {self.marked!r}. It is true or false: whether only sources with "
                f"foreground are followed."
            )


@dataclass(frozen=True)
class GradientDrawn(Following):
    """Let the loss gradients choose among a random draw of the pool (a variant of our own).

    Some times as many samples as are wanted are drawn at random; among them each source takes
    what gradient-guided sampling would. A draw of 1 is random sampling, a draw of the whole pool
    is gradient-guided sampling. The reasoning: random sampling is hard to beat because it keeps
    the composition of the pool, and neighbors of labeled samples do not; in a draw no sample has
    many neighbors, so the gradients can only choose between parts of the manifold.

    Parameters
    ----------
    draw : float
        Samples drawn for each that is suggested, at least 1.
    marked : bool
        Whether only sources with foreground are followed, where any has some.
    alpha, displacement, scale, sources, max_angle
        As in `GradientGuided`.

    Raises
    ------
    SettingError
        If a parameter is out of range.

    References
    ----------
    None: ours. The gradients and cones are those of Dai 2022, eqs. 3–6.
    """

    draw: float = 3.0

    def __post_init__(self) -> None:
        self._check()
        if isinstance(self.draw, bool) or not 1 <= self.draw < np.inf:
            raise SettingError(
                f"draw is {self.draw!r}. It is how many samples are drawn for each that is "
                f"suggested, a number of at least 1; 3 is a good start."
            )

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Draw, then let the sources choose in passes."""
        free = np.flatnonzero(evidence.free)
        size = min(round(self.draw * budget.within(evidence)), len(free))
        drawn = np.zeros(len(evidence), dtype=bool)
        drawn[rng.choice(free, size=size, replace=False)] = True
        followed = _followed(evidence[self.shift()], self.marked)
        among = replace(
            evidence,
            eligible=evidence.eligible & drawn,
            values={**evidence.values, self.shift(): followed},
        )
        return self._guided().select(among, budget, rng)


@dataclass(frozen=True)
class GradientSpread(Following):
    """Follow the loss gradients to what lies apart from all that is labeled (a variant of our own).

    A sample may be taken if it lies farther from everything labeled or picked than `apart` of the
    free samples lay from what was labeled before. The reasoning: a sample beside a labeled one
    teaches what is known, and its gradient leads there first; kept apart, the picks cover the
    manifold as random ones do, and the gradients decide from which side.

    Parameters
    ----------
    apart : float
        Share of the free samples that lie too near at first, from 0 (none) to below 1.
    marked : bool
        Whether only sources with foreground are followed, where any has some.
    alpha, displacement, scale, sources, max_angle
        As in `GradientGuided`.

    Raises
    ------
    SettingError
        If a parameter is out of range.

    References
    ----------
    None: ours. The gradients and cones are those of Dai 2022, eqs. 3–6.
    """

    apart: float = 0.5

    def __post_init__(self) -> None:
        self._check()
        if isinstance(self.apart, bool) or not 0 <= self.apart < 1:
            raise SettingError(
                f"apart is {self.apart!r}. It is the share of the free samples that lie too near "
                f"to what is labeled, from 0 to below 1; 0.5 is a good start."
            )

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Serve the sources in passes; where nothing is labeled, draw at random.

        A source whose cone holds no sample apart gets the one of smallest angle among the
        `FALLBACK` nearest ones apart, marked ``outside_cone``. Where none is left apart, the
        distance that is asked for is halved.
        """
        shift = _followed(evidence[self.shift()], self.marked)
        if len(shift.sources) == 0:
            return self._guided().select(evidence, budget, rng)
        z = np.ascontiguousarray(evidence[Latents()], dtype=np.float64)
        free = np.array(evidence.free)
        check_finite(z[free], shift.z, shift.shifted)
        axes, directed = axes_of(shift.z, shift.shifted)
        cones = cones_of(shift.shifted, axes, directed, least_cosine(self.max_angle))
        wanted = budget.within(evidence)
        served = served_sources(len(cones), wanted, rng)
        labeled = np.concatenate([z[evidence.labeled], evidence[self.shift()].z])
        nearest = _to_nearest(z, labeled)
        far = float(np.quantile(nearest[free], self.apart)) if free.any() else 0.0
        rows: list[int] = []
        outside: list[bool] = []
        while len(rows) < wanted:
            while not (free & (nearest >= far)).any():
                far = far / 2 if far > np.finfo(float).tiny else 0.0
            cone = cones[served[len(rows) % len(served)]]
            search = PlainSearch(z, free & (nearest >= far))
            inside = search.nearest(cone, 1)
            row = (
                int(inside[0])
                if len(inside)
                else least_angle(z, search.nearest(cone.opened(), FALLBACK), cone)
            )
            rows.append(row)
            outside.append(not len(inside))
            free[row] = False
            np.minimum(nearest, _to_nearest(z, z[[row]]), out=nearest)
        source = [int(served[place % len(served)]) for place in range(len(rows))]
        found = described(z, shift.shifted, axes, directed, rows, source, outside)
        return found.suggestions(shift.sources)


def _followed(shift: Shift, marked: bool) -> Shift:
    """The sources with foreground, if only they are followed and there are any."""
    if not marked or shift.marked is None or not shift.marked.any():
        return shift
    kept = shift.marked
    return Shift(shift.alpha, shift.sources[kept], shift.z[kept], shift.shifted[kept], kept[kept])


def _to_nearest(z: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each row to the nearest of the others, which are at least one, shape (n,)."""
    squared = np.full(len(z), np.inf)
    for other in others:
        np.minimum(squared, ((z - other) ** 2).sum(axis=1), out=squared)
    distance: NDArray[np.float64] = np.sqrt(squared)
    return distance
