"""How a strategy can ask its round to be done: when it chooses, and what is trained.

A `Condition` stands among a strategy's needs, and has no value in the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.errors import SettingError
from workbench.strategies.base import Evidence
from workbench.strategies.needs import Need

__all__ = ["BeforeTraining", "Condition", "Dropout", "Ensemble", "LossHead"]


@dataclass(frozen=True)
class Condition(Need):
    """A need without a value: it says how a round is done."""

    def by_case(self, value: Any, evidence: Evidence) -> Any:
        """The same for cases."""
        return value


@dataclass(frozen=True)
class BeforeTraining(Condition):
    """The strategy chooses before any model exists: its round selects, then trains."""


@dataclass(frozen=True)
class Dropout(Condition):
    """The network is trained with dropout at the end of its four innermost blocks.

    Parameters
    ----------
    p : float
        Probability that a value is dropped, above 0 and below 1.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.p < 1:
            raise SettingError(
                f"p is {self.p!r}. It is the probability of dropout, above 0 and below 1; the "
                f"papers use 0.5."
            )


@dataclass(frozen=True)
class LossHead(Condition):
    """The network is trained with a head that predicts its own loss.

    Parameters
    ----------
    margin : float
        Of the ranking loss between pairs, at least 0.
    weight : float
        Of the ranking loss beside the Dice loss, above 0.
    stop : float
        Share of the steps after which the ranking loss no longer reaches the U-Net, 0 to 1.
    bound : float
        Until then, the norm of its gradient in the U-Net, at most so many times that of the
        Dice loss; above 0.
    """

    margin: float = 0.5
    weight: float = 1.0
    stop: float = 0.6
    bound: float = 0.1

    def __post_init__(self) -> None:
        above = self.weight > 0 and self.bound > 0
        if not (self.margin >= 0 and above and 0 <= self.stop <= 1):
            raise SettingError(
                f"margin is {self.margin!r}, weight {self.weight!r}, stop {self.stop!r} and bound "
                f"{self.bound!r}. The margin is at least 0, weight and bound are above 0, and stop "
                f"is a share from 0 to 1."
            )


@dataclass(frozen=True)
class Ensemble(Condition):
    """Several networks are trained, each on a bootstrap of the labeled set.

    Parameters
    ----------
    members : int
        How many, at least 2.
    """

    members: int = 4

    def __post_init__(self) -> None:
        if not self.members >= 2:
            raise SettingError(
                f"members is {self.members!r}. An ensemble has at least 2 networks; Dai 2022 "
                f"trains 4."
            )
