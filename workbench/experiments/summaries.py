"""The tables of a report: what `Results` say, strategy by strategy.

Every function takes results and returns a tidy table, with the number of
repetitions behind each value. Means over test cases come first, then mean, sd
and interval over the runs of a strategy: a run is a seed with its VAE.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import SettingError, did_you_mean
from workbench.experiments.comparison import LESS_IS_BETTER
from workbench.experiments.results import Results
from workbench.experiments.statistics import area, bootstrap_interval, budget_needed, mean_sd

__all__ = [
    "RUN",
    "annotated",
    "areas",
    "budgets_needed",
    "ceilings",
    "check_known",
    "learning_curves",
    "penalties",
    "repetitions",
    "saved_effort",
    "scores_of",
    "seconds",
]

#: Columns that tell one run from another.
RUN = ["label", "seed", "manifold_seed"]
_SCORE = ["metric", "region"]
#: What `workbench.annotation.costs.RoundCost.plain` tells of each class.
_CONTOURS = ("shared", "reference", "shared_mm", "reference_mm")


def learning_curves(results: Results) -> pd.DataFrame:
    """Score of every strategy in every round.

    Returns
    -------
    DataFrame
        ``label, round, metric, region, mean, sd, low, high, n``, and `Results.costs`: mean, sd
        and 95 % bootstrap interval over n runs; costs are means over these runs.
    """
    return _over_runs(results.scores, ["label", "round", *_SCORE], results.costs)


def ceilings(results: Results) -> pd.DataFrame:
    """Score of training on everything.

    Returns
    -------
    DataFrame
        ``metric, region, mean, sd, low, high, n``, and the costs; empty if no
        full-data reference was among the runs.
    """
    return _over_runs(results.ceiling, _SCORE, results.costs)


def areas(results: Results, cost: str = "slices") -> pd.DataFrame:
    """Area under each budget curve, normalized so that a constant scores itself.

    Parameters
    ----------
    results : Results
        The runs.
    cost : str
        Axis of the curves, one of `Results.costs`.

    Returns
    -------
    DataFrame
        ``label, metric, region, mean, sd, low, high, n``, over runs.
    """
    check_known("cost", cost, results.costs)
    runs = _mean_over_cases(results.scores, [cost])
    found = [
        dict(zip([*RUN, *_SCORE], key, strict=True))
        | {"value": float(area(curve[cost], curve["value"]))}
        for key, curve in runs.groupby([*RUN, *_SCORE], sort=False)
    ]
    return _over_runs(pd.DataFrame(found), ["label", *_SCORE], ())


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
        What is counted, one of `Results.costs`.

    Returns
    -------
    DataFrame
        ``label, target, budget, of_all, reached, n``: the budget at which the mean curve
        reaches the target, infinite if it does not; the same as a share of the full-data
        budget; and at how many of n runs the run's own curve reaches it. Empty if there is no
        full-data reference.
    """
    scores = scores_of(results, metric, region, cost)
    if metric in LESS_IS_BETTER:
        raise SettingError(f"A budget is needed for a Dice, but the metric is {metric!r}.")
    columns = ["label", "target", "budget", "of_all", "reached", "n"]
    full = _chosen(ceilings(results), metric, region)
    if full.empty:
        return pd.DataFrame(columns=columns)
    target, everything = share * float(full["mean"].iloc[0]), float(full[cost].iloc[0])
    curves = _over_runs(scores, ["label", "round", *_SCORE], [cost])
    runs = _mean_over_cases(scores, [cost])
    rows = []
    for label, curve in curves.groupby("label", sort=False):
        own = runs[runs["label"] == label].groupby(RUN, sort=False)
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
        ``label, round``, the costs, ``foreground_pixels``, means over runs;
        ``foreground``, ``foreground_sd``: foreground share of all annotated pixels;
        ``foreground_suggested``: of those that were suggested, the initial set left out (NaN
        in round 0); ``of_pool``, ``of_all``: share of the pool's cases, and of all cases of the
        cohort, that have an annotated slice (NaN where a run did not save how many there are);
        ``n`` runs.
    """
    rounds = results.rounds.copy()
    rounds["of_pool"] = rounds["cases"] / rounds["pool_cases"]
    rounds["of_all"] = rounds["cases"] / rounds["all_cases"]
    first = rounds.groupby("run")[["pixels", "foreground_pixels"]].transform("min")
    added = rounds[["pixels", "foreground_pixels"]] - first
    rounds["foreground"] = rounds["foreground_pixels"] / rounds["pixels"]
    rounds["foreground_suggested"] = added["foreground_pixels"] / added["pixels"].replace(0, np.nan)
    groups = rounds.groupby(["label", "round"], sort=False)
    shares = ["foreground", "foreground_suggested", "of_pool", "of_all"]
    means = groups[[*results.costs, "foreground_pixels", *shares]].mean()
    means.insert(len(results.costs) + 2, "foreground_sd", groups["foreground"].std())
    return means.assign(n=groups.size()).reset_index()


def saved_effort(results: Results) -> pd.DataFrame:
    """Share of the reference's contour that pre-annotations saved (effort paper, eq. 3).

    Returns
    -------
    DataFrame
        ``label, round, class, saved, sd, n, saved_mm, contour_pixels, spearman``: mean and sd over
        n runs of C / L of what each round asked for; the same of sub-pixel contours, in mm; the
        mean of L; ``spearman``: rank correlation
        of predicted with measured effort, NaN where none was predicted. The first round is there
        only if it began from predictions. Empty if nobody drew the labels.
    """
    columns = ["label", "round", "class", "saved", "sd", "n", "saved_mm"]
    columns += ["contour_pixels", "spearman"]
    rows = []
    for label, runs in results.members.items():
        for run in runs:
            for saved in run.rounds:
                effort = saved.effort
                told = zip(*(effort.get(key, ()) for key in ("classes", *_CONTOURS)), strict=True)
                for name, c, length, c_mm, length_mm in told:
                    begun = length and (saved.index or c)  # else it is drawn from nothing
                    shares = (c / length, c_mm / length_mm) if begun else (np.nan, np.nan)
                    rho = effort.get("spearman", np.nan)
                    rows.append((label, saved.index, name, *shares, length, rho))
    if not rows:
        return pd.DataFrame(columns=columns)
    names = ["label", "round", "class", "saved", "saved_mm", "length", "spearman"]
    flat = pd.DataFrame(rows, columns=names)
    groups = flat.groupby(["label", "round", "class"], sort=False)
    found = groups.agg(
        saved=("saved", "mean"),
        sd=("saved", "std"),
        n=("saved", "count"),
        saved_mm=("saved_mm", "mean"),
        contour_pixels=("length", "mean"),
        spearman=("spearman", "mean"),
    )
    return found[found["n"] > 0].reset_index()[columns]


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
    keys = [*RUN, "round", *_SCORE]
    return (
        scores.groupby(keys, sort=False)
        .agg(**{cost: (cost, "first") for cost in costs}, value=("value", "mean"))
        .reset_index()
    )


def scores_of(results: Results, metric: str, region: str, cost: str) -> pd.DataFrame:
    """Return the scores of one metric and region.

    Raises
    ------
    SettingError
        If the runs have none, or there is no such cost.
    """
    check_known("cost", cost, results.costs)
    check_known("metric", metric, results.scores["metric"].unique())
    check_known("region", region, results.regions)
    return _chosen(results.scores, metric, region)


def _chosen(table: pd.DataFrame, metric: str, region: str) -> pd.DataFrame:
    return table[(table["metric"] == metric) & (table["region"] == region)]


# ----------------------------------------------------------------------- checking
def check_known(what: str, given: str, known: Iterable[str]) -> None:
    """Refuse a name that these runs do not have.

    Raises
    ------
    SettingError
        With the nearest name, and all that there are.
    """
    names = list(known)
    if given not in names:
        raise SettingError(
            f"The {what} {given!r} is not among these runs.{did_you_mean(given, names)} "
            f"There are: {', '.join(names)}."
        )
