"""Statistics of scores: intervals, tests, areas and wins.

Pure functions on arrays, which know nothing of runs and strategies. What two
strategies' scores allow to be said with them is in `comparison`.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import SettingError

__all__ = [
    "area",
    "bootstrap_interval",
    "budget_needed",
    "holm",
    "mean_sd",
    "resamplings",
    "signed_rank",
    "win_matrix",
]

#: Up to so many differences the signed-rank distribution is counted out.
EXACT = 50
#: Samples of a bootstrap.
DRAWS = 10_000
#: Ends of a 95 % interval.
QUANTILES = (0.025, 0.975)


def mean_sd(values: ArrayLike) -> tuple[float, float]:
    """Mean and standard deviation (of a sample: n − 1); NaN where there is none."""
    known = np.asarray(values, dtype=np.float64)
    mean = float(known.mean()) if known.size else math.nan
    return mean, float(known.std(ddof=1)) if known.size > 1 else math.nan


def bootstrap_interval(
    values: ArrayLike, draws: int = DRAWS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % percentile bootstrap interval of a mean (Efron & Tibshirani 1993, §13.3).

    Parameters
    ----------
    values : array, shape (n, ...)
        Repetitions along the first axis; all else is resampled together.
    draws : int
        Samples drawn with replacement, always the same, so that a report repeats itself.

    Returns
    -------
    tuple of ndarray, shape (...)
        Lower and upper end; NaN where n is less than 2. With few repetitions such intervals
        hold the mean less often than 95 %: three seeds give one that is too narrow.
    """
    known = np.asarray(values, dtype=np.float64)
    if len(known) < 2:
        return np.full(known.shape[1:], np.nan), np.full(known.shape[1:], np.nan)
    weights = resamplings(len(known), draws, seed=0)
    means = np.tensordot(weights, known, axes=(1, 0))
    low, high = np.quantile(means, QUANTILES, axis=0)
    return np.asarray(low), np.asarray(high)


@lru_cache(maxsize=16)
def resamplings(n: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Draw samples with replacement: share of each of n things in each, shape (draws, n)."""
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
