"""Label what several networks disagree about, and of that what stands for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from workbench.errors import SettingError
from workbench.strategies.base import Budget, Evidence, Suggestions, highest
from workbench.strategies.conditions import Ensemble
from workbench.strategies.coverage import max_cover, unit_length
from workbench.strategies.needs import Disagreement, Features, Need

__all__ = ["DAL"]


@dataclass(frozen=True)
class DAL:
    """Of what bootstrapped networks disagree about most, take what represents the pool best.

    The samples of highest variance over the networks are candidates, and greedy max-cover by
    the cosine of their features picks among them; what is covered is counted over all
    unlabeled samples. As in Dai 2022 this is done in chunks: of the next 20 candidates 10
    are picked, and so on, with what was covered carried over. The ensemble is also what is
    evaluated. If the chunks do not fill the budget, the candidates that were left follow, in
    order of their variance.

    Parameters
    ----------
    members : int
        Networks, each trained on a bootstrap of the labeled set, at least 2.
    candidates : int
        Candidates of a chunk, at least `picks`.
    picks : int
        Picks of a chunk, at least 1.

    References
    ----------
    Yang et al. 2017, §3; adapted as in Dai 2022, §3.2.
    """

    members: int = 4
    candidates: int = 20
    picks: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.picks <= self.candidates:
            raise SettingError(
                f"picks is {self.picks!r} and candidates {self.candidates!r}. Of the candidates "
                f"of a chunk at least 1 and at most all are picked; Dai 2022 picks 10 of 20."
            )
        self.needs()  # refuses what is out of range

    def needs(self) -> frozenset[Need]:
        """An ensemble, how much it disagrees, and its features."""
        return frozenset({Ensemble(self.members), Disagreement(), Features()})

    def select(self, evidence: Evidence, budget: Budget, rng: np.random.Generator) -> Suggestions:
        """Pick chunk by chunk."""
        ranked = highest(evidence[Disagreement()], evidence, Budget(max(len(evidence), 1)))
        wanted = budget.within(evidence)
        unlabeled = np.flatnonzero(~evidence.labeled)
        place = np.full(len(evidence), -1, dtype=np.int64)
        place[unlabeled] = np.arange(len(unlabeled))
        unit = unit_length(np.asarray(evidence[Features()])[unlabeled])
        covered = np.full(len(unlabeled), -1.0)
        rows: list[int] = []
        for start in range(0, len(ranked.rows), self.candidates):
            chunk = place[ranked.rows[start : start + self.candidates]]
            chosen = islice(max_cover(unit, chunk, covered), min(self.picks, wanted - len(rows)))
            rows += unlabeled[list(chosen)].tolist()
            if len(rows) == wanted:
                break
        left = ranked.rows[~np.isin(ranked.rows, rows)][: wanted - len(rows)]
        return Suggestions(rows=np.array([*rows, *left], np.int64), scores=ranked.scores)
