"""Strategies against each other: `Results` compared pair by pair.

Each comparison is made on the seeds and test cases that both strategies have,
by one `Measure`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace

import pandas as pd

from workbench.errors import SettingError
from workbench.experiments.comparison import (
    MEAN_DICE,
    Comparison,
    Measure,
    compare_scores,
    holm_corrected,
)
from workbench.experiments.results import Results
from workbench.experiments.statistics import area, win_matrix
from workbench.experiments.summaries import RUN, check_known, scores_of

__all__ = [
    "best_two",
    "case_scores",
    "compare",
    "compare_with",
    "comparison_table",
    "pairwise",
    "wins",
]


def case_scores(results: Results, measure: Measure = MEAN_DICE) -> pd.DataFrame:
    """Score of every strategy, seed and test case.

    Parameters
    ----------
    results : Results
        The runs.
    measure : Measure
        Which score.

    Returns
    -------
    DataFrame
        Index ``label, seed``, a column for each test case; runs that differ in the seed of
        the VAE alone are averaged.
    """
    chosen = scores_of(results, measure.metric, measure.region, measure.cost)
    if measure.at != "area":
        chosen = chosen[chosen["round"] == _round(results, measure.at)]
        return chosen.pivot_table(
            index=["label", "seed"], columns="case", values="value", aggfunc="mean", sort=False
        )
    rows = {}
    for key, run in chosen.groupby(RUN, sort=False):
        curves = run.pivot(index="round", columns="case", values="value")
        budget = run.groupby("round")[measure.cost].first()
        rows[key] = pd.Series(area(budget, curves.to_numpy()), index=curves.columns)
    table = pd.DataFrame(rows).T
    table.index.names = RUN
    return table.groupby(level=["label", "seed"], sort=False).mean()


def compare(
    results: Results,
    first: str,
    second: str,
    measure: Measure = MEAN_DICE,
) -> Comparison:
    """Compare two strategies on the seeds and test cases that both have.

    Parameters
    ----------
    results : Results
        The runs.
    first, second : str
        Labels.
    measure : Measure
        What is compared.
    """
    return _compared(results, [(first, second)], measure)[0]


def compare_with(
    results: Results,
    reference: str = "random",
    measure: Measure = MEAN_DICE,
) -> tuple[Comparison, ...]:
    """Compare every other strategy with one, Holm-corrected for their number.

    Parameters are those of `compare`; `reference` is the label that comes second in each.
    """
    pairs = [(label, reference) for label in results.labels if label != reference]
    return holm_corrected(_compared(results, pairs, measure))


def pairwise(results: Results, measure: Measure = MEAN_DICE) -> tuple[Comparison, ...]:
    """Compare all pairs of strategies, Holm-corrected for their number.

    Parameters are those of `compare`.
    """
    names = results.labels
    pairs = [(one, other) for i, one in enumerate(names) for other in names[i + 1 :]]
    return holm_corrected(_compared(results, pairs, measure))


def best_two(
    results: Results,
    measure: Measure = MEAN_DICE,
    among: Sequence[str] | None = None,
) -> Comparison | None:
    """Compare the two strategies of the best means, as the papers do.

    Parameters
    ----------
    results : Results
        The runs.
    measure : Measure
        What is compared.
    among : sequence of str, optional
        Labels that take part, such as all but an oracle; default: all.

    Returns
    -------
    Comparison or None
        The better one comes first; None of fewer than two strategies. Its p-values are those
        of one comparison, although these two were chosen among many.
    """
    names = list(results.labels if among is None else among)
    for name in names:
        check_known("strategy", name, results.labels)
    if len(names) < 2:
        return None
    means = case_scores(results, measure).mean(axis=1).groupby("label").mean()
    ranked = means[names].sort_values(ascending=measure.sign < 0, kind="stable").index
    return compare(results, ranked[0], ranked[1], measure)


def comparison_table(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Comparisons as a table: a row for each, a column for each field of `Comparison`."""
    return pd.DataFrame(
        [asdict(each) for each in comparisons], columns=[each.name for each in fields(Comparison)]
    )


def wins(results: Results, measure: Measure = MEAN_DICE) -> pd.DataFrame:
    """Pairwise win matrix over seeds (see `win_matrix`): rows against columns, both labels.

    Parameters are those of `case_scores`. `pairwise` has the p-values.
    """
    table = case_scores(results, measure).mean(axis=1).unstack("seed")
    table = table.reindex(results.labels)
    matrix = win_matrix(measure.sign * table.to_numpy())
    return pd.DataFrame(matrix, index=table.index, columns=pd.Index(table.index, name=None))


def _compared(
    results: Results,
    pairs: Sequence[tuple[str, str]],
    measure: Measure,
) -> tuple[Comparison, ...]:
    table = case_scores(results, measure)
    if measure.at != "area":
        measure = replace(measure, at=_round(results, measure.at))
    found = []
    for pair in pairs:
        for name in pair:
            check_known("strategy", name, results.labels)
        one, other = (table.loc[name] for name in pair)
        seeds = sorted(set(one.index) & set(other.index))
        scores = (one.loc[seeds].to_numpy(), other.loc[seeds].to_numpy())
        found.append(compare_scores(*scores, pair, measure))
    return tuple(found)


def _round(results: Results, at: int | str) -> int:
    known = sorted(set(results.rounds["round"].tolist()))
    if at == -1:
        return int(known[-1])
    if at not in known:
        raise SettingError(
            f"Strategies were to be compared at {at!r}. Name a round from {known[0]} to "
            f"{known[-1]}, −1 for the last, or 'area'."
        )
    return int(at)
