"""Gradient-guided sampling on a data manifold (Dai et al. 2020, 2022).

The gradient of a labeled sample's loss says in which direction images become
harder for the model. Integrated into the image and encoded, it moves the
sample's latent code from z to z'. Unlabeled samples that lie near z', and
beyond it in the same direction, are the ones to label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, Suggestions
from workbench.strategies.cone import select_in_passes
from workbench.strategies.needs import GradientScale, Latents, Need, Shift, ShiftedLatents, Sources

__all__ = ["GradientGuided"]


@dataclass(frozen=True)
class GradientGuided:
    """Follow each labeled sample's loss gradient through latent space to unlabeled ones.

    Parameters
    ----------
    alpha : float or None
        Step along the scaled gradient in image space, above 0; None: calibrated.
    displacement : float
        Median ‖z' − z‖ that calibration aims at, in neighbor distances u, above 0.
    scale : {"raw", "l2", "sign"}
        Gradient as it is (the papers), of length 1, or its sign.
    sources : {"last", "all"}
        Samples labeled in the latest round, or all labeled ones.
    max_angle : float
        Half-angle θ of the cone in degrees, 0 to 180; 180 switches the condition off.
    fallback : bool
        Whether a source whose cone is empty gets the sample of smallest angle nearby, marked
        ``outside_cone``; if not, fewer samples than the budget may be suggested.

    Raises
    ------
    SettingError
        If a parameter is out of range.

    References
    ----------
    Dai 2020, eqs. 3–4; Dai 2022, eqs. 3–6.
    """

    alpha: float | None = None
    displacement: float = 2.0
    scale: GradientScale = "l2"
    sources: Sources = "last"
    max_angle: float = 60.0
    fallback: bool = True

    def __post_init__(self) -> None:
        if self.alpha is not None and not (_is_number(self.alpha) and 0 < self.alpha < math.inf):
            raise SettingError(
                f"alpha is {self.alpha!r}. It is the step along the gradient, a number above 0 "
                f"(the papers used 0.001 on the raw gradient); None lets it be calibrated."
            )
        if not (_is_number(self.displacement) and 0 < self.displacement < math.inf):
            raise SettingError(
                f"displacement is {self.displacement!r}. It is how far calibration moves the "
                f"sources in neighbor distances, a number above 0; 2 is a good start."
            )
        if not (_is_number(self.max_angle) and 0 <= self.max_angle <= 180):
            raise SettingError(
                f"max_angle is {self.max_angle!r}. It is the half-angle of the cone in degrees, "
                f"from 0 to 180; 60 is the papers' choice and 180 switches the condition off."
            )
        if not isinstance(self.fallback, bool):
            raise SettingError(
                f"fallback is {self.fallback!r}. It is true or false: whether a source whose cone "
                f"is empty gets a sample outside of it."
            )
        for name, known in (("scale", get_args(GradientScale)), ("sources", get_args(Sources))):
            if getattr(self, name) not in known:
                raise SettingError(
                    f"{name} is {getattr(self, name)!r}. It is one of: {', '.join(known)}."
                )

    def shift(self) -> ShiftedLatents:
        """The one need that moves with alpha, displacement, scale and sources."""
        return ShiftedLatents(self.alpha, self.displacement, self.scale, self.sources)

    def needs(self) -> frozenset[Need]:
        """Where everything lies in latent space, and where the sources move."""
        return frozenset({Latents(), self.shift()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Give each source its nearest free samples in its cone, in passes (see `cone`).

        Where nothing is labeled there is no gradient to follow: rows are drawn
        at random and marked ``no_direction``, with source -1.
        """
        shift: Shift = evidence[self.shift()]
        if len(shift.sources) == 0:
            free = np.flatnonzero(evidence.free)
            drawn = rng.choice(free, size=budget.within(evidence), replace=False).astype(np.int64)
            unknown = np.full(len(drawn), np.nan)
            return Suggestions(
                rows=drawn,
                source=np.full(len(drawn), -1, dtype=np.int64),
                distance=unknown,
                angle=unknown,
                flags=("no_direction",) * len(drawn),
            )
        picks = select_in_passes(
            evidence[Latents()],
            evidence.free,
            shift.z,
            shift.shifted,
            self.max_angle,
            budget.within(evidence),
            rng,
            self.fallback,
        )
        return picks.suggestions(shift.sources)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
