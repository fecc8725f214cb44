"""The two ends that every strategy is measured against: chance, and knowing the answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.strategies.base import (
    Budget,
    Evidence,
    Need,
    ReferenceDice,
    Suggestions,
    highest,
)

__all__ = ["Oracle", "Random"]


@dataclass(frozen=True)
class Random:
    """Draw uniformly from what is unlabeled, without replacement."""

    def needs(self) -> frozenset[Need]:
        """Nothing."""
        return frozenset()

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Draw the rows; all free rows are equally likely."""
        free = np.flatnonzero(evidence.free)
        drawn = rng.choice(free, size=budget.within(evidence), replace=False)
        return Suggestions(rows=drawn.astype(np.int64))


@dataclass(frozen=True)
class Oracle:
    """Take the samples that the current model segments worst, by their held references.

    An upper bound, not a method: it reads the references of unlabeled samples
    (Dai 2020, 2022). A sample without foreground in both reference and
    prediction has Dice 1 and is not wanted; without that rule such samples
    pass for the hardest, and the oracle loses to chance.
    """

    def needs(self) -> frozenset[Need]:
        """The foreground Dice of every row against its reference."""
        return frozenset({ReferenceDice()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of lowest Dice; rows without a reference come last."""
        return highest(-np.asarray(evidence[ReferenceDice()]), evidence, budget)
