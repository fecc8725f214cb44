"""Two strategies compared: by what measure, with what result, in which words.

Seeds are what a strategy is repeated over, so that whether it beats another is a
question to seeds; test cases answer whether these very networks differ. Both are
asked, and with too few seeds no p-value is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workbench.experiments.statistics import DRAWS, QUANTILES, holm, resamplings, signed_rank

__all__ = [
    "LESS_IS_BETTER",
    "MEAN_DICE",
    "NEEDED_CASES",
    "NEEDED_SEEDS",
    "Comparison",
    "Measure",
    "compare_scores",
    "holm_corrected",
    "sentence",
]

#: With fewer, even a strategy that wins every time has p > 0.05 (five of five: 0.0625).
NEEDED_SEEDS = NEEDED_CASES = 6
#: The level below which a p-value counts.
LEVEL = 0.05
#: Metrics of which less is better, and how a difference of each is called.
LESS_IS_BETTER = ("hd", "hd95", "one_empty")
UNITS = {"dice": "Dice", "hd": "mm Hausdorff distance", "hd95": "mm HD95"}

_NUMBERS = ("difference", "low", "high", "p_seeds", "p_cases", "holm_seeds", "holm_cases")


@dataclass(frozen=True)
class Measure:
    """What strategies are compared by: the area under the mean Dice, if nothing else is said.

    Parameters
    ----------
    metric, region : str
        What was scored, where.
    at : int or "area"
        A round (−1: the last), or the area under each test case's own budget curve.
    cost : str
        Axis of that curve, one of `costs.COSTS`.
    """

    metric: str = "dice"
    region: str = "mean"
    at: int | str = "area"
    cost: str = "slices"

    @property
    def sign(self) -> int:
        """1 where more is better, −1 where less is."""
        return -1 if self.metric in LESS_IS_BETTER else 1


#: What a comparison asks if nothing else is said.
MEAN_DICE = Measure()


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
    names: tuple[str, str],
    measure: Measure = MEAN_DICE,
) -> Comparison:
    """Compare the scores of two strategies, pair by pair.

    Parameters
    ----------
    first, second : array, shape (s, c)
        Scores at s seeds of c test cases; the same seeds and cases in both.
    names : tuple of str
        The labels of the two.
    measure : Measure
        What the scores are; its round is a number of one.

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
    told: dict[str, Any] = {"first": names[0], "second": names[1], "metric": measure.metric}
    told |= {"region": measure.region, "at": measure.at, "seeds": seeds, "cases": cases}
    if not difference.size:
        told |= dict.fromkeys(_NUMBERS, math.nan)
        return Comparison(**told, wins=0, losses=0)
    of_seeds, of_cases = difference.mean(axis=1), difference.mean(axis=0)
    drawn = resamplings(seeds, DRAWS, seed=0) @ difference * resamplings(cases, DRAWS, seed=1)
    low, high = np.quantile(drawn.sum(axis=1), QUANTILES)
    p_seeds = signed_rank(of_seeds) if seeds >= NEEDED_SEEDS else math.nan
    enough = seeds >= NEEDED_SEEDS and cases >= NEEDED_CASES
    p_cases = signed_rank(of_cases) if enough else math.nan
    return Comparison(
        **told,
        difference=float(difference.mean()),
        low=float(low),
        high=float(high),
        wins=int((measure.sign * of_seeds > 0).sum()),
        losses=int((measure.sign * of_seeds < 0).sum()),
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
