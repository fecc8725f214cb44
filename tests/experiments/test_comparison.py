"""Two strategies compared, and the sentence that is said of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.experiments.comparison import Measure, compare_scores, holm_corrected, sentence
from workbench.experiments.statistics import signed_rank


def clear(seeds: int = 8, cases: int = 12, gap: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of which the first lie higher in every seed and case, by `gap` in the mean."""
    rng = np.random.default_rng(0)
    second = 0.7 + 0.05 * rng.standard_normal((seeds, cases))
    noise = rng.uniform(-0.01, 0.01, (seeds, cases))
    return second + gap + noise - noise.mean(), second


def named(first, second, **measure):
    return compare_scores(first, second, ("ours", "random"), Measure(**measure))


def test_seeds_and_cases_are_tested_apart_each_averaged_over_the_other():
    first, second = clear()
    found = named(first, second)
    assert found.difference == pytest.approx((first - second).mean())
    assert found.p_seeds == signed_rank((first - second).mean(axis=1)) == pytest.approx(2 / 2**8)
    assert found.p_cases == signed_rank((first - second).mean(axis=0))
    assert (found.wins, found.losses, found.seeds, found.cases) == (8, 0, 8, 12)
    assert found.low < found.difference < found.high


def test_the_interval_knows_of_seeds_and_of_cases():
    rng = np.random.default_rng(2)
    by_seed, by_case = rng.normal(0, 1, (20, 1)), rng.normal(0, 1, (1, 20))
    zero = np.zeros((20, 20))
    alone = [named(zero + part, zero) for part in (by_seed, by_case)]
    both = named(by_seed + by_case, zero)
    width = [found.high - found.low for found in (*alone, both)]
    assert width[2] == pytest.approx(math.hypot(*width[:2]), rel=0.05)


def test_the_sentence_says_beats_only_if_seeds_and_cases_agree():
    found = named(*clear())
    assert 0.04 < found.low < 0.05 < found.high < 0.06
    assert sentence(found) == (
        "ours beats random by 0.050 Dice (p = 0.008 over 8 seeds, p < 0.001 over 12 test cases; "
        "mean of the regions, area under the budget curve; 95 % interval of the difference "
        f"+{found.low:.3f} to +{found.high:.3f})."
    )
    first, second = clear()
    first[:, :6] -= 0.2  # half of the cases are worse, the mean of every seed is too
    said = sentence(named(first, second))
    assert said.startswith("ours does not beat random: it is 0.050 Dice worse, which may be chance")


def test_the_sentence_admits_a_defeat():
    first, second = clear()
    said = sentence(named(second, first, at=5, region="anterior"))
    assert said.startswith("ours does not beat random: random beats it by 0.050 Dice (p = 0.008")
    assert "anterior, round 5" in said


def test_of_a_distance_less_is_better():
    first, second = clear()
    found = named(-first, -second, metric="hd95")
    assert found.better
    assert (found.wins, found.losses) == (8, 0)
    assert sentence(found).startswith("ours beats random by 0.05 mm HD95 (p = 0.008")


@pytest.mark.parametrize(
    ("seeds", "cases", "words"),
    [
        (5, 12, "from 5 seeds: it is"),
        (1, 12, "from 1 seed: it is"),
        (8, 5, "from 5 test cases: it is"),
        (3, 4, "from 3 seeds and 4 test cases: it is"),
    ],
)
def test_with_few_seeds_or_cases_there_is_an_interval_and_no_p_value(seeds, cases, words):
    found = named(*clear(seeds, cases))
    said = sentence(found)
    assert said.startswith("Whether ours beats random cannot be said")
    assert words in said
    assert "p =" not in said
    assert "p <" not in said
    assert "95 % interval" in said
    assert math.isnan(found.p_cases)
    assert not found.certain
    assert "nan" not in said


def test_one_seed_more_turns_the_interval_into_a_p_value():
    assert math.isnan(named(*clear(5)).p_seeds)
    assert named(*clear(6)).p_seeds == pytest.approx(0.03125)


def test_no_shared_seed_is_said():
    found = named(np.zeros((0, 4)), np.zeros((0, 4)))
    assert "share no seed" in sentence(found)
    assert math.isnan(found.difference)


def test_equal_scores_are_not_different():
    first, _ = clear()
    found = named(first, first)
    assert (found.difference, found.p_seeds, found.wins) == (0, 1, 0)
    assert "it is 0.000 Dice different" in sentence(found)


def test_comparisons_made_together_are_corrected_together():
    ours, base = clear(6)
    several = tuple(named(ours, base) for _ in range(3))
    corrected = holm_corrected((*several, named(*clear(3))))
    assert [each.holm_seeds for each in corrected[:3]] == pytest.approx([3 * 0.03125] * 3)
    assert {each.family for each in corrected} == {3}
    assert math.isnan(corrected[3].holm_seeds)
    assert named(ours, base).certain
    assert not corrected[0].certain
    said = sentence(corrected[0])
    assert said.startswith(
        "ours does not beat random: it is 0.050 Dice better, which may be chance"
    )
    assert "Holm-corrected for 3 comparisons" in said
