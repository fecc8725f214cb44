"""Plug-ins that raise; one keeps count of its attempts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.strategies.base import Budget, Evidence, Suggestions
from workbench.strategies.needs import Need


@dataclass(frozen=True)
class Broken:
    """Divide by zero."""

    log: str

    def needs(self) -> frozenset[Need]:
        return frozenset()

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        with Path(self.log).open("a") as file:
            file.write("tried\n")
        raise ZeroDivisionError("the plug-in divides by zero")


@dataclass(frozen=True)
class CannotTell:
    """Raise when asked what it needs."""

    def needs(self) -> frozenset[Need]:
        raise KeyError("what it needs")

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        return Suggestions(rows=np.flatnonzero(evidence.free)[: budget.n])
