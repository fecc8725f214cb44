"""Label what a head of the network, trained to predict its loss, expects to go wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.strategies.base import Budget, Evidence, Suggestions, highest
from workbench.strategies.conditions import LossHead
from workbench.strategies.needs import Need, PredictedLoss

__all__ = ["LearningLoss"]


@dataclass(frozen=True)
class LearningLoss:
    """Take the samples whose loss the network itself predicts to be highest.

    A head on several levels of the U-Net's features predicts the loss of each sample. It is
    trained together with the U-Net, by a ranking loss on pairs of the batch:
    ``max(0, margin − sign(l_i − l_j) (p_i − p_j))``. Late in a round its gradient no longer
    reaches the U-Net.

    Parameters
    ----------
    margin : float
        Of the ranking loss, at least 0.
    weight : float
        Of the ranking loss beside the Dice loss, above 0.
    stop : float
        Share of the steps after which its gradient ends at the head, 0 to 1.

    References
    ----------
    Yoo & Kweon 2019, eq. 2; settings of Dai 2022, §3.2 (margin 0.5, weight 1, 30 of 50 epochs).
    """

    margin: float = 0.5
    weight: float = 1.0
    stop: float = 0.6

    def __post_init__(self) -> None:
        self.needs()  # refuses what is out of range

    def needs(self) -> frozenset[Need]:
        """A head in training, and what it predicts."""
        return frozenset({LossHead(self.margin, self.weight, self.stop), PredictedLoss()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest predicted loss."""
        return highest(evidence[PredictedLoss()], evidence, budget)
