"""Label what teaches most for what it costs a person."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, QueryStrategy, Suggestions, highest
from workbench.strategies.conditions import Dropout
from workbench.strategies.needs import Need, PredictedEffort

__all__ = ["CostAware", "Scored"]


@runtime_checkable
class Scored(Protocol):
    """A strategy that ranks by one number of at least 0, of which twice is twice as much."""

    def scores(self, evidence: Evidence) -> NDArray[np.float64]:
        """Score of every row, shape (n,), higher is sooner."""
        ...


@dataclass(frozen=True)
class CostAware:
    """Divide the score of another strategy by the effort that a sample is predicted to cost.

    The effort is the contour, in pixels, that an annotator who corrects the prediction is
    expected to draw: the mean over pairs of dropout passes of 1 − C / L, weighted by the length
    of the predicted contour. To it comes what opening a slice costs, so that a sample without
    any contour does not cost nothing. Of whole cases means over their slices are divided.

    Parameters
    ----------
    strategy : str
        Name of a strategy that ranks by one number of at least 0: least-confidence, margin,
        entropy, mc-dropout, bald, oracle, or a plug-in with a method ``scores(evidence)``.
    passes : int
        Dropout passes that effort is predicted from, at least 2; those of the strategy too, if
        it makes some.
    p : float
        Probability of dropout, in training and in the passes, above 0 and below 1.
    opening : float
        What opening a slice costs, in pixels of contour, above 0.

    References
    ----------
    Efforts estimation of doctors annotating medical image (arXiv 1901.02355), eq. 3; dividing by
    a cost, Settles 2009, §7.1.
    """

    strategy: str = "entropy"
    passes: int = 5
    p: float = 0.5
    opening: float = 50.0

    def __post_init__(self) -> None:
        if not 0 < self.opening < float("inf"):
            raise SettingError(
                f"opening is {self.opening!r}. It is what opening a slice costs in pixels of "
                f"contour, above 0."
            )
        self.needs()  # refuses what is out of range, and strategies without scores

    def _scored(self) -> Scored:
        from workbench.strategies.registry import get_strategy, strategies

        if self.strategy not in strategies():
            get_strategy(self.strategy)  # says what there is
        made = strategies()[self.strategy]
        if not issubclass(made, Scored):
            able = [name for name, each in strategies().items() if issubclass(each, Scored)]
            raise SettingError(
                f"The strategy {self.strategy!r} has no score that could be divided by the effort "
                f"a sample costs. Choose one of: {', '.join(able)}."
            )
        own = {each.name for each in fields(made)}  # type: ignore[arg-type]
        shared = {"passes": self.passes, "p": self.p}
        found = get_strategy(self.strategy, **{n: v for n, v in shared.items() if n in own})
        assert isinstance(found, Scored)
        return found

    def needs(self) -> frozenset[Need]:
        """What the strategy needs, dropout in training, and the predicted effort."""
        scored = self._scored()
        assert isinstance(scored, QueryStrategy)
        return scored.needs() | {Dropout(self.p), PredictedEffort(self.passes)}

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of the highest score for their cost."""
        effort = np.asarray(evidence[PredictedEffort(self.passes)])
        scores = np.asarray(self._scored().scores(evidence))
        return highest(scores / (effort + self.opening), evidence, budget)
