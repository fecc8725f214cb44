"""Gradient-guided sampling in which several directions vote (Dai 2022 §5, proposed there).

One gradient is one opinion on where the model will fail. Here each source has
several: the gradient of its loss as it is, and at variations of its image or of
the network. Each direction nominates samples in its own cone, and the one
nominated most often is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, Suggestions
from workbench.strategies.conditions import Dropout
from workbench.strategies.cone import (
    FALLBACK,
    Picks,
    axes_of,
    check_finite,
    cones_of,
    described,
    least_cosine,
    served_sources,
)
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.needs import (
    GradientScale,
    Latents,
    Need,
    Shift,
    ShiftedLatents,
    Sources,
    Variation,
    VariedShifts,
)
from workbench.strategies.search import PlainSearch, least_angle

__all__ = ["GradientVoting", "select_by_votes"]


@dataclass(frozen=True)
class GradientVoting:
    """Let several gradient directions of each labeled sample vote on the next ones.

    The sources are served as in gradient-guided sampling. Each direction of a source
    nominates its nearest free samples inside its cone; the sample nominated by most
    directions is taken, of several the one nearest to the mean of their z'. In one direction
    with one nominee this is gradient-guided sampling. How the directions are made and how
    many samples each nominates is not in the paper: that is our reading.

    Parameters
    ----------
    alpha, displacement, scale, sources, max_angle
        As in `GradientGuided`; α is calibrated on the plain gradient.
    directions : int
        Directions of each source, the plain gradient among them, at least 1.
    nominees : int
        Samples that each direction nominates, at least 1.
    vary : {"intensity", "dropout"}
        What the other directions differ in: contrast and brightness of the image, or what the
        network drops (then it is trained with dropout).
    p : float
        Probability of dropout, above 0 and below 1; only for ``"dropout"``.

    Raises
    ------
    SettingError
        If a parameter is out of range.

    References
    ----------
    Dai 2022, §5 (multi-direction voting, proposed there), with eqs. 3–6.
    """

    alpha: float | None = None
    displacement: float = 2.0
    scale: GradientScale = "l2"
    sources: Sources = "last"
    max_angle: float = 60.0
    directions: int = 5
    nominees: int = 5
    vary: Variation = "intensity"
    p: float = 0.5

    def __post_init__(self) -> None:
        self._guided()  # refuses what is out of range
        Dropout(self.p)
        if self.vary not in get_args(Variation):
            raise SettingError(
                f"vary is {self.vary!r}. It is one of: {', '.join(get_args(Variation))}."
            )
        for name in ("directions", "nominees"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise SettingError(f"{name} is {value!r}. It is a whole number of at least 1.")

    def _guided(self) -> GradientGuided:
        return GradientGuided(
            self.alpha, self.displacement, self.scale, self.sources, self.max_angle
        )

    def shift(self) -> ShiftedLatents:
        """The plain direction."""
        return self._guided().shift()

    def varied(self) -> VariedShifts:
        """The other directions."""
        return VariedShifts(self.shift(), self.directions - 1, self.vary)

    def needs(self) -> frozenset[Need]:
        """Where everything lies, and where the sources move in each direction."""
        dropout = {Dropout(self.p)} if self.vary == "dropout" else set()
        return frozenset({Latents(), self.shift(), self.varied(), *dropout})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Serve the sources in passes; where nothing is labeled, draw at random."""
        shift: Shift = evidence[self.shift()]
        if len(shift.sources) == 0:
            return self._guided().select(evidence, budget, rng)
        others: tuple[Shift, ...] = evidence[self.varied()]
        picks = select_by_votes(
            evidence[Latents()],
            evidence.free,
            shift.z,
            np.stack([shift.shifted, *(other.shifted for other in others)]),
            self.max_angle,
            self.nominees,
            budget.within(evidence),
            rng,
        )
        return picks.suggestions(shift.sources)


def select_by_votes(
    z: NDArray[np.float64],
    free: NDArray[np.bool_],
    source_z: NDArray[np.float64],
    shifted: NDArray[np.float64],
    max_angle: float,
    nominees: int,
    budget: int,
    rng: np.random.Generator,
) -> Picks:
    """Give each source, pass after pass, the free sample that most of its directions nominate.

    Parameters
    ----------
    z, free, source_z, max_angle, budget, rng
        As in `workbench.strategies.cone.select_in_passes`.
    shifted : ndarray of float64, shape (t, m, d)
        z' of every source in each of t directions; the first is the plain one, to which
        distances and angles are told.
    nominees : int
        Samples that each direction nominates.

    Returns
    -------
    Picks
        A source none of whose cones holds a free sample gets the one of smallest angle among
        the `FALLBACK` nearest to its plain z', marked ``outside_cone``; ``no_direction`` marks
        sources whose plain z' is z.
    """
    limit = least_cosine(max_angle)
    axes, directed = zip(*(axes_of(source_z, each) for each in shifted), strict=True)
    cones = [cones_of(*each, limit) for each in zip(shifted, axes, directed, strict=True)]
    check_finite(z[free], source_z, shifted)
    m = shifted.shape[1]
    budget = min(budget, int(free.sum())) if m else 0
    served = served_sources(m, budget, rng)
    search = PlainSearch(z, np.array(free, dtype=bool))
    rows: list[int] = []
    source: list[int] = []
    outside: list[bool] = []
    while len(rows) < budget:
        for i in served[: budget - len(rows)].tolist():
            nominated = np.concatenate([search.nearest(each[i], nominees) for each in cones])
            if len(nominated):
                row = _elected(nominated, z, shifted[:, i].mean(axis=0))
            else:
                cone = cones[0][i]
                row = least_angle(z, search.nearest(cone.opened(), FALLBACK), cone)
            search.take(row)
            rows.append(row)
            source.append(i)
            outside.append(not len(nominated))
    return described(z, shifted[0], axes[0], directed[0], rows, source, outside)


def _elected(
    nominated: NDArray[np.int64], z: NDArray[np.float64], middle: NDArray[np.float64]
) -> int:
    """The row with most votes, of several the nearest to a point, of those the lowest."""
    candidates, votes = np.unique(nominated, return_counts=True)
    best = candidates[votes == votes.max()]
    return int(best[np.argmin(((z[best] - middle) ** 2).sum(axis=1))])
