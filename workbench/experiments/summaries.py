"""The tables of a report: what `Results` say, strategy by strategy.

Every function takes results and returns a tidy table, with the number of
repetitions behind each value. Means over test cases come first, then mean, sd
and interval over the runs of a strategy: a run is a seed with its VAE.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import SettingError
from workbench.experiments.results import COSTS, Results
from workbench.experiments.statistics import (
    LESS_IS_BETTER,
    Comparison,
    area,
    bootstrap_interval,
    budget_needed,
    compare_scores,
    holm_corrected,
    mean_sd,
    win_matrix,
)

__all__ = [
    "annotated",
    "areas",
    "best_two",
    "budgets_needed",
    "case_scores",
    "ceilings",
    "compare",
    "compare_with",
    "comparison_table",
    "learning_curves",
    "pairwise",
    "penalties",
    "repetitions",
    "seconds",
    "wins",
]

_RUN = ["label", "seed", "manifold_seed"]
_MEASURE = ["metric", "region"]


def learning_curves(results: Results) -> pd.DataFrame:
    """Score of every strategy in every round.

    Returns
    -------
    DataFrame
        ``label, round, metric, region, mean, sd, low, high, n, slices, shown, cases, pixels``:
        mean, sd and 95 % bootstrap interval over n runs; costs are means over these runs.
    """
    return _over_runs(results.scores, ["label", "round", *_MEASURE], COSTS)


def ceilings(results: Results) -> pd.DataFrame:
    """Score of training on everything.

    Returns
    -------
    DataFrame
        ``metric, region, mean, sd, low, high, n, slices, shown, cases, pixels``; empty if no
        full-data reference was among the runs.
    """
    return _over_runs(results.ceiling, _MEASURE, COSTS)


def areas(results: Results, cost: str = "slices") -> pd.DataFrame:
    """Area under each budget curve, normalized so that a constant scores itself.

    Parameters
    ----------
    results : Results
        The runs.
    cost : str
        Axis of the curves, one of `COSTS`.

    Returns
    -------
    DataFrame
        ``label, metric, region, mean, sd, low, high, n``, over runs.
    """
    _check("cost", cost, COSTS)
    runs = _mean_over_cases(results.scores, [cost])
    found = [
        dict(zip([*_RUN, *_MEASURE], key, strict=True))
        | {"value": float(area(curve[cost], curve["value"]))}
        for key, curve in runs.groupby([*_RUN, *_MEASURE], sort=False)
    ]
    return _over_runs(pd.DataFrame(found), ["label", *_MEASURE], ())


def repetitions(results: Results) -> pd.DataFrame:
    """How much stands behind each strategy: ``label, runs, seeds, manifolds`` (VAEs)."""
    groups = results.rounds.groupby("label", sort=False)
    counted = groups[["run", "seed", "manifold_seed"]].nunique().reset_index()
    return counted.set_axis(["label", "runs", "seeds", "manifolds"], axis=1)


def penalties(results: Results) -> pd.DataFrame:
    """How many distances are penalties, because one of the two masks was empty.

    Returns
    -------
    DataFrame
        ``label, round, region, penalties, of``: of so many scored volumes, over all runs.
    """
    chosen = results.scores[results.scores["metric"] == "one_empty"]
    chosen = chosen[chosen["region"] != "mean"]
    groups = chosen.groupby(["label", "round", "region"], sort=False)["value"]
    counted = groups.agg(["sum", "count"]).reset_index()
    counted = counted.set_axis(["label", "round", "region", "penalties", "of"], axis=1)
    return counted.astype({"penalties": int, "of": int})


def budgets_needed(
    results: Results,
    share: float = 0.99,
    metric: str = "dice",
    region: str = "mean",
    cost: str = "slices",
) -> pd.DataFrame:
    """What each strategy needs for nearly the score of training on everything.

    Parameters
    ----------
    results : Results
        The runs.
    share : float
        Of the full-data score, between 0 and 1.
    metric, region : str
        What is reached; a metric of which more is better.
    cost : str
        What is counted, one of `COSTS`.

    Returns
    -------
    DataFrame
        ``label, target, budget, of_all, reached, n``: the budget at which the mean curve
        reaches the target, infinite if it does not; the same as a share of the full-data
        budget; and at how many of n runs the run's own curve reaches it. Empty if there is no
        full-data reference.
    """
    _check("cost", cost, COSTS)
    _check_measure(results, metric, region)
    if metric in LESS_IS_BETTER:
        raise SettingError(f"A budget is needed for a Dice, but the metric is {metric!r}.")
    columns = ["label", "target", "budget", "of_all", "reached", "n"]
    full = _chosen(ceilings(results), metric, region)
    if full.empty:
        return pd.DataFrame(columns=columns)
    target, everything = share * float(full["mean"].iloc[0]), float(full[cost].iloc[0])
    scores = _chosen(results.scores, metric, region)
    curves = _over_runs(scores, ["label", "round", *_MEASURE], [cost])
    runs = _mean_over_cases(scores, [cost])
    rows = []
    for label, curve in curves.groupby("label", sort=False):
        own = runs[runs["label"] == label].groupby(_RUN, sort=False)
        each = [budget_needed(run[cost], run["value"], target) for _, run in own]
        budget = budget_needed(curve[cost], curve["mean"], target)
        rows.append(
            (label, target, budget, budget / everything, int(np.isfinite(each).sum()), len(each))
        )
    return pd.DataFrame(rows, columns=columns)


def annotated(results: Results) -> pd.DataFrame:
    """What was annotated, and how much of it is foreground.

    Returns
    -------
    DataFrame
        ``label, round, slices, shown, cases, pixels, foreground_pixels``, means over runs;
        ``foreground``, ``foreground_sd``: foreground share of all annotated pixels;
        ``foreground_suggested``: of those that were suggested, the initial set left out (NaN
        in round 0); ``n`` runs.
    """
    rounds = results.rounds.copy()
    first = rounds.groupby("run")[["pixels", "foreground_pixels"]].transform("min")
    added = rounds[["pixels", "foreground_pixels"]] - first
    rounds["foreground"] = rounds["foreground_pixels"] / rounds["pixels"]
    rounds["foreground_suggested"] = added["foreground_pixels"] / added["pixels"].replace(0, np.nan)
    groups = rounds.groupby(["label", "round"], sort=False)
    means = groups[[*COSTS, "foreground_pixels", "foreground", "foreground_suggested"]].mean()
    means.insert(6, "foreground_sd", groups["foreground"].std())
    return means.assign(n=groups.size()).reset_index()


def seconds(results: Results) -> pd.DataFrame:
    """Wall time of a round.

    Returns
    -------
    DataFrame
        ``label, training, training_sd, suggesting, suggesting_sd, n``: means over n rounds of
        all runs. Round 0 is left out: all strategies share its network, which one run trains
        and the others load.
    """
    later = results.rounds[results.rounds["round"] > 0]
    rows = []
    for label, own in later.groupby("label", sort=False):
        training, suggesting = own["seconds_training"], own["seconds_suggesting"]
        rows.append((label, *mean_sd(training), *mean_sd(suggesting), len(own)))
    names = ["label", "training", "training_sd", "suggesting", "suggesting_sd", "n"]
    return pd.DataFrame(rows, columns=names)


# -------------------------------------------------------------------- comparisons
def case_scores(
    results: Results,
    metric: str = "dice",
    region: str = "mean",
    at: int | str = "area",
    cost: str = "slices",
) -> pd.DataFrame:
    """Score of every strategy, seed and test case.

    Parameters
    ----------
    results : Results
        The runs.
    metric, region : str
        What was measured.
    at : int or "area"
        A round (−1: the last), or the area under each test case's own budget curve.
    cost : str
        Axis of that curve, one of `COSTS`.

    Returns
    -------
    DataFrame
        Index ``label, seed``, a column for each test case; runs that differ in the seed of
        the VAE alone are averaged.
    """
    _check("cost", cost, COSTS)
    _check_measure(results, metric, region)
    chosen = _chosen(results.scores, metric, region)
    if at != "area":
        chosen = chosen[chosen["round"] == _round(results, at)]
        return chosen.pivot_table(
            index=["label", "seed"], columns="case", values="value", aggfunc="mean", sort=False
        )
    rows = {}
    for key, run in chosen.groupby(_RUN, sort=False):
        curves = run.pivot(index="round", columns="case", values="value")
        budget = run.groupby("round")[cost].first()
        rows[key] = pd.Series(area(budget, curves.to_numpy()), index=curves.columns)
    table = pd.DataFrame(rows).T
    table.index.names = _RUN
    return table.groupby(level=["label", "seed"], sort=False).mean()


def compare(
    results: Results,
    first: str,
    second: str,
    metric: str = "dice",
    region: str = "mean",
    at: int | str = "area",
    cost: str = "slices",
) -> Comparison:
    """Compare two strategies on the seeds and test cases that both have.

    Parameters
    ----------
    results : Results
        The runs.
    first, second : str
        Labels.
    metric, region, at, cost
        What is compared (see `case_scores`).
    """
    return _compared(results, [(first, second)], metric, region, at, cost)[0]


def compare_with(
    results: Results,
    reference: str = "random",
    metric: str = "dice",
    region: str = "mean",
    at: int | str = "area",
    cost: str = "slices",
) -> tuple[Comparison, ...]:
    """Compare every other strategy with one, Holm-corrected for their number.

    Parameters are those of `compare`; `reference` is the label that comes second in each.
    """
    pairs = [(label, reference) for label in results.labels if label != reference]
    return holm_corrected(_compared(results, pairs, metric, region, at, cost))


def pairwise(
    results: Results,
    metric: str = "dice",
    region: str = "mean",
    at: int | str = "area",
    cost: str = "slices",
) -> tuple[Comparison, ...]:
    """Compare all pairs of strategies, Holm-corrected for their number.

    Parameters are those of `compare`.
    """
    names = results.labels
    pairs = [(one, other) for i, one in enumerate(names) for other in names[i + 1 :]]
    return holm_corrected(_compared(results, pairs, metric, region, at, cost))


def best_two(
    results: Results,
    metric: str = "dice",
    region: str = "mean",
    at: int | str = "area",
    cost: str = "slices",
    among: Sequence[str] | None = None,
) -> Comparison | None:
    """Compare the two strategies of the best means, as the papers do.

    Parameters
    ----------
    results : Results
        The runs.
    metric, region, at, cost
        What is compared (see `case_scores`).
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
        _check("strategy", name, results.labels)
    if len(names) < 2:
        return None
    means = case_scores(results, metric, region, at, cost).mean(axis=1).groupby("label").mean()
    ranked = means[names].sort_values(ascending=metric in LESS_IS_BETTER, kind="stable").index
    return compare(results, ranked[0], ranked[1], metric, region, at, cost)


def comparison_table(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Comparisons as a table: a row for each, a column for each field of `Comparison`."""
    return pd.DataFrame(
        [asdict(each) for each in comparisons], columns=[each.name for each in fields(Comparison)]
    )


def wins(
    results: Results,
    metric: str = "dice",
    region: str = "mean",
    at: int | str = "area",
    cost: str = "slices",
) -> pd.DataFrame:
    """Pairwise win matrix over seeds (see `win_matrix`): rows against columns, both labels.

    Parameters are those of `case_scores`. `pairwise` has the p-values.
    """
    table = case_scores(results, metric, region, at, cost).mean(axis=1).unstack("seed")
    table = table.reindex(results.labels)
    sign = -1 if metric in LESS_IS_BETTER else 1
    matrix = win_matrix(sign * table.to_numpy())
    return pd.DataFrame(matrix, index=table.index, columns=pd.Index(table.index, name=None))


def _compared(
    results: Results,
    pairs: Sequence[tuple[str, str]],
    metric: str,
    region: str,
    at: int | str,
    cost: str,
) -> tuple[Comparison, ...]:
    table = case_scores(results, metric, region, at, cost)
    place = at if at == "area" else _round(results, at)
    found = []
    for pair in pairs:
        for name in pair:
            _check("strategy", name, results.labels)
        one, other = (table.loc[name] for name in pair)
        seeds = sorted(set(one.index) & set(other.index))
        scores = (one.loc[seeds].to_numpy(), other.loc[seeds].to_numpy())
        found.append(compare_scores(*scores, names=pair, metric=metric, region=region, at=place))
    return tuple(found)


# ----------------------------------------------------------------------- grouping
def _over_runs(scores: pd.DataFrame, by: list[str], costs: Sequence[str]) -> pd.DataFrame:
    """Mean, sd, interval and number over runs of the scores of each group."""
    names = [*by, "mean", "sd", "low", "high", "n", *costs]
    if scores.empty:
        return pd.DataFrame(columns=names)
    runs = scores
    if "case" in scores:
        runs = _mean_over_cases(scores, costs)
    rows: list[tuple[Any, ...]] = []
    for key, group in runs.groupby(by, sort=False):
        values = group["value"].to_numpy(float)
        low, high = bootstrap_interval(values)
        own = [float(group[cost].mean()) for cost in costs]
        rows.append((*key, *mean_sd(values), float(low), float(high), len(values), *own))
    return pd.DataFrame(rows, columns=names)


def _mean_over_cases(scores: pd.DataFrame, costs: Sequence[str]) -> pd.DataFrame:
    """One row for each run, round, metric and region."""
    keys = [*_RUN, "round", *_MEASURE]
    return (
        scores.groupby(keys, sort=False)
        .agg(**{cost: (cost, "first") for cost in costs}, value=("value", "mean"))
        .reset_index()
    )


def _chosen(table: pd.DataFrame, metric: str, region: str) -> pd.DataFrame:
    return table[(table["metric"] == metric) & (table["region"] == region)]


# ----------------------------------------------------------------------- checking
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


def _check_measure(results: Results, metric: str, region: str) -> None:
    _check("metric", metric, results.scores["metric"].unique())
    _check("region", region, results.regions)


def _check(what: str, given: str, known: Iterable[str]) -> None:
    names = list(known)
    if given not in names:
        close = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
        raise SettingError(
            f"The {what} {given!r} is not among these runs."
            f"{f' Did you mean {close[0]!r}?' if close else ''} There are: {', '.join(names)}."
        )
