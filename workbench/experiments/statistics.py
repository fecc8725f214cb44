"""What a set of scores allows to be said, and no more.

Pure functions on arrays. Seeds are what a strategy is repeated over, so that
whether it beats another is a question to seeds; test cases answer whether these
very networks differ. Both are asked, and with too few seeds no p-value is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import SettingError

__all__ = [
    "NEEDED_CASES",
    "NEEDED_SEEDS",
    "Comparison",
    "area",
    "bootstrap_interval",
    "budget_needed",
    "compare_scores",
    "holm",
    "holm_corrected",
    "mean_sd",
    "sentence",
    "signed_rank",
    "win_matrix",
]

#: With fewer, even a strategy that wins every time has p > 0.05 (five of five: 0.0625).
NEEDED_SEEDS = NEEDED_CASES = 6
#: The level below which a p-value counts.
LEVEL = 0.05
#: Up to so many differences the signed-rank distribution is counted out.
EXACT = 50
#: Metrics of which less is better, and how a difference of each is called.
LESS_IS_BETTER = ("hd", "hd95", "one_empty")
UNITS = {"dice": "Dice", "hd": "mm Hausdorff distance", "hd95": "mm HD95"}

_NUMBERS = ("difference", "low", "high", "p_seeds", "p_cases", "holm_seeds", "holm_cases")


def mean_sd(values: ArrayLike) -> tuple[float, float]:
    """Mean and standard deviation (of a sample: n − 1); NaN where there is none."""
    known = np.asarray(values, dtype=np.float64)
    mean = float(known.mean()) if known.size else math.nan
    return mean, float(known.std(ddof=1)) if known.size > 1 else math.nan


def bootstrap_interval(
    values: ArrayLike, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile bootstrap interval of a mean (Efron & Tibshirani 1993, §13.3).

    Parameters
    ----------
    values : array, shape (n, ...)
        Repetitions along the first axis; all else is resampled together.
    level : float
        How often such intervals shall hold the mean, between 0 and 1. With few
        repetitions they hold it less often: three seeds give an interval that is too narrow.
    draws : int
        Samples drawn with replacement.
    seed : int
        Of the draws, so that a report repeats itself.

    Returns
    -------
    tuple of ndarray, shape (...)
        Lower and upper end; NaN where n is less than 2.
    """
    known = np.asarray(values, dtype=np.float64)
    if len(known) < 2:
        return np.full(known.shape[1:], np.nan), np.full(known.shape[1:], np.nan)
    weights = _resamplings(len(known), draws, seed)
    means = np.tensordot(weights, known, axes=(1, 0))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.asarray(low), np.asarray(high)


@lru_cache(maxsize=16)
def _resamplings(n: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Share of each of n things in samples of n with replacement, shape (draws, n)."""
    rng = np.random.default_rng(seed)
    shares: NDArray[np.float64] = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n
    shares.flags.writeable = False
    return shares


def signed_rank(differences: ArrayLike) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test (Wilcoxon 1945).

    Parameters
    ----------
    differences : array, shape (n,)
        Of pairs. Differences of 0 are left out (Wilcoxon's own way), equal ones share
        their mean rank.

    Returns
    -------
    float
        Exact, ties included, for up to 50 differences: every pattern of signs is counted.
        Beyond, by the normal approximation. 1 if all differences are 0; NaN if there are none.
    """
    from scipy.stats import rankdata, wilcoxon

    known = np.asarray(differences, dtype=np.float64).ravel()
    moved = known[known != 0]
    if not len(moved):
        return 1.0 if len(known) else math.nan
    if len(moved) > EXACT:
        return float(wilcoxon(moved, method="approx").pvalue)
    ranks = np.rint(2 * rankdata(np.abs(moved))).astype(np.int64)  # twice: mean ranks are halves
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1
    for rank in ranks.tolist():
        ways[rank:] = ways[rank:] + ways[: len(ways) - rank]
    positive = int(ranks[moved > 0].sum())
    rarer = min(ways[: positive + 1].sum(), ways[positive:].sum())
    return float(min(1.0, 2 * rarer / ways.sum()))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for being many, step down (Holm 1979).

    Parameters
    ----------
    p_values : array, shape (m,)
        NaN where there is none; such a one is not counted.

    Returns
    -------
    ndarray, shape (m,)
        Never below the p-value itself, at most 1, in the same order of size.
    """
    given = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(given.shape, np.nan)
    order = np.argsort(given, kind="stable")[: int(np.isfinite(given).sum())]  # NaN comes last
    steps = given[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def area(budget: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Area under a budget curve, normalized so that a constant scores itself.

    Parameters
    ----------
    budget : array, shape (r,)
        What each round had cost, never falling.
    scores : array, shape (r, ...)
        What it had reached.

    Returns
    -------
    ndarray, shape (...)
        Trapezoids over the budget axis divided by its length: the mean height of the curve.
        Where the axis has no length, the mean of the scores.

    Raises
    ------
    SettingError
        If the budget falls, or its length is not that of the scores.
    """
    from scipy.integrate import trapezoid

    x, y = np.asarray(budget, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if len(x) != len(y) or not len(x) or (np.diff(x) < 0).any():
        raise SettingError(
            f"A budget curve was given with budgets {x.tolist()} and {len(y)} scores. It needs a "
            f"score for each budget, and budgets in ascending order."
        )
    if x[-1] == x[0]:
        return np.asarray(y.mean(axis=0))
    return np.asarray(trapezoid(y, x, axis=0) / (x[-1] - x[0]))


def budget_needed(budget: ArrayLike, scores: ArrayLike, target: float) -> float:
    """Smallest budget at which a curve reaches a target, straight lines between rounds.

    Parameters
    ----------
    budget, scores : array, shape (r,)
        The curve, budgets ascending; more is better.
    target : float
        Such as 0.99 times the score of training on everything.

    Returns
    -------
    float
        Infinity if the curve does not reach it: not reached is a result.
    """
    x, y = np.asarray(budget, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    reached = np.flatnonzero(y >= target)
    if not len(reached):
        return math.inf
    at = int(reached[0])
    if at == 0:
        return float(x[0])
    share = (target - y[at - 1]) / (y[at] - y[at - 1])
    return float(x[at - 1] + share * (x[at] - x[at - 1]))


def win_matrix(scores: ArrayLike) -> NDArray[np.float64]:
    """How much more often each strategy wins than it loses, pair by pair over seeds.

    Parameters
    ----------
    scores : array, shape (k, s)
        Of k strategies at s seeds, more is better; NaN where a strategy has no run.

    Returns
    -------
    ndarray, shape (k, k)
        Entry (i, j): seeds at which i scores above j minus those at which it scores below,
        divided by the seeds that both have; from −1 (always loses) to 1 (always wins), so
        entry (j, i) is its negative. NaN where two share no seed.
    """
    table = np.asarray(scores, dtype=np.float64)
    difference = table[:, None, :] - table[None, :, :]
    known = np.isfinite(difference)
    signs = np.where(known, np.sign(np.where(known, difference, 0)), 0).sum(axis=2)
    matrix = np.full(signs.shape, np.nan)
    np.divide(signs, known.sum(axis=2), out=matrix, where=known.any(axis=2))
    return matrix


@dataclass(frozen=True)
class Comparison:
    """Two strategies, compared on the seeds and test cases that both have.

    Parameters
    ----------
    first, second : str
        Their labels.
    metric, region : str
        What was measured.
    at : int or "area"
        The round that is compared, or the area under the budget curve.
    seeds, cases : int
        How many both have.
    difference, low, high : float
        Mean of first minus second; its 95 % bootstrap interval.
    wins, losses : int
        Seeds at which the first is better, and worse; the others are ties.
    p_seeds, p_cases : float
        Signed-rank p-values: over seeds (each averaged over cases), and over test cases
        (each averaged over seeds first). Both NaN below `NEEDED_SEEDS` seeds, for then
        the cases would speak of these few networks alone; the second also below `NEEDED_CASES`.
    holm_seeds, holm_cases : float
        The same, corrected for `family` comparisons that were made together.
    family : int
        How many; 1 is no correction.
    """

    first: str
    second: str
    metric: str
    region: str
    at: int | str
    seeds: int
    cases: int
    difference: float
    low: float
    high: float
    wins: int
    losses: int
    p_seeds: float
    p_cases: float
    holm_seeds: float
    holm_cases: float
    family: int = 1

    @property
    def better(self) -> bool:
        """Whether the first is better in the mean, whatever chance may have done."""
        return self.difference < 0 if self.metric in LESS_IS_BETTER else self.difference > 0

    @property
    def certain(self) -> bool:
        """Whether both corrected p-values are below 0.05."""
        return self.holm_seeds < LEVEL and self.holm_cases < LEVEL  # never with NaN


def compare_scores(
    first: ArrayLike,
    second: ArrayLike,
    *,
    names: tuple[str, str],
    metric: str = "dice",
    region: str = "mean",
    at: int | str = "area",
) -> Comparison:
    """Compare the scores of two strategies, pair by pair.

    Parameters
    ----------
    first, second : array, shape (s, c)
        Scores at s seeds of c test cases; the same seeds and cases in both.
    names, metric, region, at
        What they are (see `Comparison`).

    Returns
    -------
    Comparison
        The interval is that of the mean difference when seeds and test cases are both drawn
        anew (Owen 2007: rather too wide than too narrow); of one seed it tells about these
        trained networks alone. Where nothing is shared every number is NaN.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    difference = a - b
    seeds, cases = difference.shape
    told: dict[str, Any] = {"first": names[0], "second": names[1], "metric": metric}
    told |= {"region": region, "at": at, "seeds": seeds, "cases": cases}
    if not difference.size:
        told |= dict.fromkeys(_NUMBERS, math.nan)
        return Comparison(**told, wins=0, losses=0)
    of_seeds, of_cases = difference.mean(axis=1), difference.mean(axis=0)
    drawn = _resamplings(seeds, 10_000, 0) @ difference * _resamplings(cases, 10_000, 1)
    low, high = np.quantile(drawn.sum(axis=1), [0.025, 0.975])
    p_seeds = signed_rank(of_seeds) if seeds >= NEEDED_SEEDS else math.nan
    enough = seeds >= NEEDED_SEEDS and cases >= NEEDED_CASES
    p_cases = signed_rank(of_cases) if enough else math.nan
    sign = -1 if metric in LESS_IS_BETTER else 1
    return Comparison(
        **told,
        difference=float(difference.mean()),
        low=float(low),
        high=float(high),
        wins=int((sign * of_seeds > 0).sum()),
        losses=int((sign * of_seeds < 0).sum()),
        p_seeds=p_seeds,
        p_cases=p_cases,
        holm_seeds=p_seeds,
        holm_cases=p_cases,
    )


def holm_corrected(comparisons: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """Correct the p-values of comparisons that are made together."""
    seeds = holm([each.p_seeds for each in comparisons])
    cases = holm([each.p_cases for each in comparisons])
    family = sum(math.isfinite(each.p_cases) for each in comparisons)
    return tuple(
        replace(each, holm_seeds=float(s), holm_cases=float(c), family=max(family, 1))
        for each, s, c in zip(comparisons, seeds, cases, strict=True)
    )


def sentence(found: Comparison) -> str:
    """Say what a comparison shows: ``"X beats random by 0.012 Dice (…, p = 0.004 …)."``.

    "Beats" is said if both p-values, over seeds and over test cases, are below 0.05 after
    correction; without p-values it is said that nothing can be said yet.
    """
    one, other = found.first, found.second
    if not found.seeds or not found.cases:
        return f"{one} and {other} share no seed and test case, so they cannot be compared."
    size = abs(found.difference)
    unit = UNITS.get(found.metric, found.metric)
    amount = f"{size:.3f} {unit}" if found.metric == "dice" else f"{size:.2f} {unit}"
    place = "area under the budget curve" if found.at == "area" else f"round {found.at}"
    region = "mean of the regions" if found.region == "mean" else found.region
    digits = 3 if found.metric == "dice" else 2
    interval = (
        f"{region}, {place}; 95 % interval of the difference {_signed(found.low, digits)} to "
        f"{_signed(found.high, digits)}"
    )
    side = "better" if found.better else "worse" if size else "different"
    if not (math.isfinite(found.holm_seeds) and math.isfinite(found.holm_cases)):
        counts = (
            (found.seeds, NEEDED_SEEDS, "seed"),
            (found.cases, NEEDED_CASES, "test case"),
        )
        few = [f"{n} {what}{'s' * (n != 1)}" for n, needed, what in counts if n < needed]
        needs = [f"{needed} {what}s" for n, needed, what in counts if n < needed]
        return (
            f"Whether {one} beats {other} cannot be said from {' and '.join(few)}: it is {amount} "
            f"{side} ({interval}; a p-value needs {' and '.join(needs)})."
        )
    corrected = f", Holm-corrected for {found.family} comparisons" if found.family > 1 else ""
    p = (
        f"{_p(found.holm_seeds)} over {found.seeds} seeds, {_p(found.holm_cases)} over "
        f"{found.cases} test cases{corrected}"
    )
    if found.certain and found.better:
        return f"{one} beats {other} by {amount} ({p}; {interval})."
    if found.certain:
        return f"{one} does not beat {other}: {other} beats it by {amount} ({p}; {interval})."
    return (
        f"{one} does not beat {other}: it is {amount} {side}, which may be chance "
        f"({p}; {interval})."
    )


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")
