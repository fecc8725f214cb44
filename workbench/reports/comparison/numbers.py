"""All numbers of a report, computed once from the results.

Every figure, table and sentence reads them from here; how they are computed is
in `workbench.experiments.summaries` and `pairs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from workbench.errors import WorkbenchError
from workbench.experiments import pairs, summaries
from workbench.experiments.comparison import Comparison, Measure
from workbench.experiments.results import Results
from workbench.strategies.needs import Need, ReferenceDice, ReferenceForeground

__all__ = ["REFERENCE", "TARGET", "Numbers", "needs_of", "summarize"]

#: What every strategy is compared with.
REFERENCE = "random"
#: Share of the full-data Dice whose budget is asked for.
TARGET = 0.99
#: Metrics that are shown and compared, as far as they were scored.
METRICS = ("dice", "hd", "hd95")


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a report shows.

    Parameters
    ----------
    results : Results
        The runs.
    ranked : tuple of str
        Labels by the area under their mean Dice, the best first.
    last : int
        The last round that every strategy has; the one that is compared.
    metrics : tuple of str
        Those of `METRICS` that were scored.
    curves, ceiling, areas, needed, annotated, seconds, penalties : DataFrame
        See the functions of `workbench.experiments.summaries`; ``areas`` and ``needed`` have
        a column ``cost`` more.
    against : tuple of Comparison
        Every strategy against `REFERENCE`: area under the Dice, then each metric of the last
        round; empty without the reference.
    best : tuple of Comparison
        The two best by each of these, strategies that see references left out.
    pairs : tuple of Comparison
        All pairs, by the area under the Dice.
    wins : DataFrame
        Win matrix of the area under the mean Dice; index and columns are labels.
    peeking : tuple of str
        Labels of strategies that see the references of what is not labeled, as an oracle does.
    """

    results: Results
    ranked: tuple[str, ...]
    last: int
    metrics: tuple[str, ...]
    curves: pd.DataFrame
    ceiling: pd.DataFrame
    areas: pd.DataFrame
    needed: pd.DataFrame
    against: tuple[Comparison, ...]
    best: tuple[Comparison, ...]
    pairs: tuple[Comparison, ...]
    wins: pd.DataFrame
    annotated: pd.DataFrame
    seconds: pd.DataFrame
    penalties: pd.DataFrame
    peeking: tuple[str, ...]

    def reached(self, label: str, metric: str = "dice", region: str = "mean") -> float:
        """Mean score of a strategy in the last round."""
        chosen = self.curves[
            (self.curves["label"] == label)
            & (self.curves["round"] == self.last)
            & (self.curves["metric"] == metric)
            & (self.curves["region"] == region)
        ]
        return float(chosen["mean"].iloc[0])

    @property
    def above_ceiling(self) -> str | None:
        """The best strategy of the last round, if training on everything reaches less."""
        best = max(self.ranked, key=self.reached)
        if self.needed.empty or self.reached(best) <= self.needed["target"].iloc[0] / TARGET:
            return None
        return best

    @property
    def counted(self) -> tuple[str, str]:
        """What annotating is told in, and the cost that counts it: a volume is a case."""
        first = next(iter(self.results.members.values()))[0]
        return ("volumes", "cases") if first.config.unit == "volumes" else ("slices", "slices")

    def annotated_at(self, index: int) -> float:
        """Slices, or volumes, annotated up to a round, mean over strategies."""
        return float(self.curves[self.curves["round"] == index][self.counted[1]].mean())


def summarize(results: Results) -> Numbers:
    """Compute everything that a report shows."""
    areas = _by_cost(summaries.areas, results)
    chosen = areas[
        (areas["cost"] == "slices") & (areas["metric"] == "dice") & (areas["region"] == "mean")
    ]
    ranked = tuple(chosen.sort_values("mean", ascending=False, kind="stable")["label"])
    last = int(results.rounds.groupby("label")["round"].max().min())
    metrics = tuple(each for each in METRICS if each in set(results.scores["metric"]))
    peeking = tuple(label for label in ranked if _peeks(results, label))
    curves = summaries.learning_curves(results)
    curves = curves[curves["metric"].isin(metrics)].reset_index(drop=True)
    ceiling = summaries.ceilings(results)
    measures = [Measure(), *(Measure(metric, at=last) for metric in metrics)]
    against: list[Comparison] = []
    best: list[Comparison | None] = []
    honest = [label for label in ranked if label not in peeking]
    for measure in measures:
        if REFERENCE in ranked:
            family = pairs.compare_with(results, REFERENCE, measure)
            against += sorted(family, key=lambda each: ranked.index(each.first))
        best.append(pairs.best_two(results, measure, honest))
    order = list(ranked)
    return Numbers(
        results=results,
        ranked=ranked,
        last=last,
        metrics=metrics,
        curves=curves,
        ceiling=ceiling,
        areas=areas,
        needed=_by_cost(_needed, results),
        against=tuple(against),
        best=tuple(each for each in best if each is not None),
        pairs=pairs.pairwise(results),
        wins=pairs.wins(results).loc[order, order],
        annotated=summaries.annotated(results),
        seconds=summaries.seconds(results),
        penalties=summaries.penalties(results),
        peeking=peeking,
    )


def _needed(results: Results, cost: str) -> pd.DataFrame:
    return summaries.budgets_needed(results, TARGET, cost=cost)


def _by_cost(function: Callable[..., pd.DataFrame], results: Results) -> pd.DataFrame:
    """One table of what a function gives for each cost."""
    return pd.concat(
        [function(results, cost=cost).assign(cost=cost) for cost in results.costs],
        ignore_index=True,
    )


def needs_of(results: Results, label: str) -> frozenset[Need] | None:
    """What a strategy looks at; None where it is not installed here."""
    from workbench.strategies import from_record

    try:
        strategy = from_record(results.members[label][0].rounds[0].strategy)
    except WorkbenchError:
        return None
    return strategy.needs()


def _peeks(results: Results, label: str) -> bool:
    """Whether a strategy sees references of slices that are not labeled."""
    return any(
        isinstance(need, (ReferenceDice, ReferenceForeground))
        for need in needs_of(results, label) or ()
    )
