"""Label what stands for the rest of the pool, whatever the network thinks of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

import numpy as np

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, Suggestions, highest
from workbench.strategies.conditions import BeforeTraining
from workbench.strategies.coverage import farthest_first
from workbench.strategies.needs import Features, Latents, Need, RepresentativeOrder

__all__ = ["ClsMC", "CoreSet"]

Space = Literal["features", "latents"]


@dataclass(frozen=True)
class CoreSet:
    """Take the samples that are farthest from everything labeled (k-center greedy).

    Parameters
    ----------
    space : {"features", "latents"}
        Where distances are measured: pooled features of the network's bottleneck, or latent
        codes, which need no network.

    References
    ----------
    Sener & Savarese 2018, algorithm 1.
    """

    space: Space = "features"

    def __post_init__(self) -> None:
        if self.space not in get_args(Space):
            raise SettingError(
                f"space is {self.space!r}. It is one of: {', '.join(get_args(Space))}."
            )

    def _where(self) -> Need:
        return Features() if self.space == "features" else Latents()

    def needs(self) -> frozenset[Need]:
        """Where the samples lie."""
        return frozenset({self._where()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Make one free row after the other a center; the labeled ones are from the start.

        Where nothing is labeled, the row nearest to the mean of the free ones comes first.
        """
        labeled = np.flatnonzero(evidence.labeled)
        picks = farthest_first(evidence[self._where()], labeled, evidence.free)
        return Suggestions(rows=np.array(list(islice(picks, budget.within(evidence))), np.int64))


@dataclass(frozen=True)
class ClsMC:
    """Take the samples that represent the clusters of the latent space, ranked once for all.

    Ward clusters on a graph of nearest neighbors, greedy max-cover in each of them, then over
    all: one ranking before any network is trained, whose prefixes are the rounds.

    Parameters
    ----------
    clusters : int
        Clusters of the pool, at least 1.
    candidates : float
        Share of each cluster that enters the ranking over all, above 0 and at most 1.
    neighbors : int
        Nearest neighbors that may be merged, at least 1.

    References
    ----------
    Zheng et al. 2019, Representative annotation; Dai 2022, §3.2.
    """

    clusters: int = 50
    candidates: float = 0.2
    neighbors: int = 15

    def __post_init__(self) -> None:
        self.needs()  # refuses what is out of range

    def _order(self) -> RepresentativeOrder:
        return RepresentativeOrder(self.clusters, self.candidates, self.neighbors)

    def needs(self) -> frozenset[Need]:
        """The ranking, before training; and the codes by which cases are ranked."""
        return frozenset({BeforeTraining(), Latents(), self._order()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Take the next free rows of the ranking."""
        return highest(-np.asarray(evidence[self._order()]), evidence, budget)
