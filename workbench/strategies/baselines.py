"""What every strategy is measured against: chance, informed chance, and knowing the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, Suggestions, highest
from workbench.strategies.needs import Need, PredictedShare, ReferenceDice, ReferenceForeground

__all__ = ["ForegroundRandom", "Oracle", "Random"]

Foreground = Literal["predicted", "reference"]


@dataclass(frozen=True)
class Random:
    """Draw uniformly from what is unlabeled, without replacement.

    References
    ----------
    The baseline of Dai 2020 and 2022.
    """

    def needs(self) -> frozenset[Need]:
        """Nothing."""
        return frozenset()

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Draw the rows; all free rows are equally likely."""
        free = np.flatnonzero(evidence.free)
        drawn = rng.choice(free, size=budget.within(evidence), replace=False)
        return Suggestions(rows=drawn.astype(np.int64))


@dataclass(frozen=True)
class ForegroundRandom:
    """Draw at random, a share of the draw only from samples with foreground.

    A strong baseline that few strategies beat. If fewer samples have foreground than the
    share asks for, the others are drawn from all.

    Parameters
    ----------
    share : float
        Share of the budget that must have foreground, 0 to 1; the benchmark's are 0.33 and 0.66.
    foreground : {"predicted", "reference"}
        Whether the current model predicts it, or the held reference has it (which no real
        annotation could know).

    References
    ----------
    Lüth et al. 2025, nnActive: random 33 % FG and random 66 % FG.
    """

    share: float = 0.66
    foreground: Foreground = "predicted"

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise SettingError(
                f"share is {self.share!r}. It is the share of the draw that must have foreground, "
                f"from 0 to 1, for example 0.33 or 0.66."
            )
        if self.foreground not in get_args(Foreground):
            raise SettingError(
                f"foreground is {self.foreground!r}. It is one of: "
                f"{', '.join(get_args(Foreground))}."
            )

    def needs(self) -> frozenset[Need]:
        """Which samples have foreground."""
        predicted = self.foreground == "predicted"
        return frozenset({PredictedShare() if predicted else ReferenceForeground()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Draw the rows with foreground, then the others from all that are left."""
        if self.foreground == "predicted":
            some = evidence[PredictedShare()][:, 1:].sum(axis=1) > 0
        else:
            some = evidence[ReferenceForeground()] > 0
        free = np.flatnonzero(evidence.free)
        wanted = budget.within(evidence)
        first = rng.permutation(free[some[free]])[: round(self.share * wanted)]
        rest = rng.permutation(free[~np.isin(free, first)])[: wanted - len(first)]
        return Suggestions(rows=np.concatenate([first, rest]).astype(np.int64))


@dataclass(frozen=True)
class Oracle:
    """Take the samples that the current model segments worst, by their held references.

    An upper bound, not a method: it reads the references of unlabeled samples
    (Dai 2020, 2022). A sample without foreground in both reference and
    prediction has Dice 1 and is not wanted; without that rule such samples
    pass for the hardest, and the oracle loses to chance.

    References
    ----------
    Dai 2020, §3; Dai 2022, §3.2.
    """

    def needs(self) -> frozenset[Need]:
        """The foreground Dice of every row against its reference."""
        return frozenset({ReferenceDice()})

    def scores(self, evidence: Evidence) -> NDArray[np.float64]:
        """One minus Dice, from 0 to 1; NaN without a reference."""
        return 1 - np.asarray(evidence[ReferenceDice()])

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of lowest Dice; rows without a reference come last."""
        return highest(-np.asarray(evidence[ReferenceDice()]), evidence, budget)
