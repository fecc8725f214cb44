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
    reaches the U-Net; until then it is bounded there by the gradient of the Dice loss.

    The bound is our reading. Dai 2022 adds up both losses, and names none. But the gradient of
    a Dice loss is small beside that of the ranking loss, and the U-Net learned to be ranked and
    not to segment. On 34 random slices of the hippocampus (seeds 0 and 1) the Dice was 0.35 and
    0.24 with the plain sum (``bound=1e9``), 0.66 and 0.66 with the bound, and 0.66 and 0.66
    without a head. The command is in docs/strategies.md.

    Parameters
    ----------
    margin : float
        Of the ranking loss, at least 0.
    weight : float
        Of the ranking loss beside the Dice loss, above 0.
    stop : float
        Share of the steps after which its gradient ends at the head, 0 to 1.
    bound : float
        Until then, the norm of its gradient in the U-Net, at most so many times that of the
        Dice loss; above 0.

    References
    ----------
    Yoo & Kweon 2019, eq. 2; settings of Dai 2022, §3.2 (margin 0.5, weight 1, 30 of 50 epochs).
    """

    margin: float = 0.5
    weight: float = 1.0
    stop: float = 0.6
    bound: float = 0.1

    def __post_init__(self) -> None:
        self.needs()  # refuses what is out of range

    def needs(self) -> frozenset[Need]:
        """A head in training, and what it predicts."""
        head = LossHead(self.margin, self.weight, self.stop, self.bound)
        return frozenset({head, PredictedLoss()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the free rows of highest predicted loss."""
        return highest(evidence[PredictedLoss()], evidence, budget)
