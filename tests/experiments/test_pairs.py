"""Strategies against each other, in runs written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import SettingError
from workbench.experiments import pairs, summaries
from workbench.experiments.comparison import Measure, compare_scores, sentence
from workbench.experiments.results import read_results
from workbench.experiments.statistics import holm

from .made_runs import SIX, better, make_run, random, row


def test_strategies_are_compared_on_the_seeds_that_both_have(found):
    compared = pairs.compare(found, "entropy", "random", Measure(region="anterior", at=2))
    gain = 0.01 + 0.001 * np.arange(7)[:, None] + 0.0005 * np.arange(6)
    by_hand = compare_scores(
        gain, np.zeros((7, 6)), ("entropy", "random"), Measure(region="anterior", at=2)
    )
    assert compared.difference == pytest.approx(by_hand.difference)
    assert (compared.low, compared.high) == pytest.approx((by_hand.low, by_hand.high))
    assert (compared.p_seeds, compared.p_cases) == (by_hand.p_seeds, by_hand.p_cases)
    assert compared.p_seeds == pytest.approx(2 / 2**7)
    assert pairs.compare(found, "oracle", "random").seeds == 2


def test_the_area_is_compared_case_by_case(found):
    table = pairs.case_scores(found, Measure(region="anterior"))
    assert table.shape == (7 + 7 + 2, 6)
    x, y = (10, 20, 40), [better(3, index, 4) for index in range(3)]
    expected = (10 * (y[0] + y[1]) / 2 + 20 * (y[1] + y[2]) / 2) / (x[2] - x[0])
    assert table.loc[("entropy", 3), "case_5"] == pytest.approx(expected)


def test_runs_on_several_manifolds_count_as_one_seed(tmp_path):
    for manifold, gain in ((0, 0.02), (1, 0.04)):
        make_run(
            tmp_path / f"core-{manifold}",
            "core-set",
            lambda seed, index, case, gain=gain: random(seed, index, case) + gain * min(index, 1),
            manifold_seed=manifold,
        )
    make_run(tmp_path / "random", dice=random)
    found = read_results([tmp_path])
    compared = pairs.compare(found, "core-set", "random", Measure(at=-1))
    assert (compared.seeds, compared.at) == (1, 2)
    assert compared.difference == pytest.approx(0.03)
    assert row(summaries.areas(found), label="core-set", metric="dice", region="mean")["n"] == 2


def test_the_honest_sentence_of_every_strategy_against_random(found):
    entropy, oracle = pairs.compare_with(found)
    assert sentence(entropy).startswith("entropy beats random by 0.012 Dice (p = 0.016 over 7")
    assert "Holm" not in sentence(entropy)  # the other one has no p-value
    assert sentence(oracle).startswith("Whether oracle beats random cannot be said from 2 seeds")
    assert [each.family for each in (entropy, oracle)] == [1, 1]


def test_the_best_two_are_ranked_by_what_is_better(found):
    best = pairs.best_two(found, Measure(at=2), ["random", "entropy"])
    assert (best.first, best.second) == ("entropy", "random")
    distance = pairs.best_two(found, Measure("hd95", at=2), ["random", "entropy"])
    assert (distance.first, distance.second) == ("entropy", "random")
    assert distance.difference < 0
    assert distance.better
    assert pairs.best_two(found, among=["random"]) is None


def test_all_pairs_are_corrected_together(tmp_path):
    for step, name in enumerate(("random", "entropy", "margin")):
        for seed in range(6):
            make_run(
                tmp_path / f"{name}-{seed}",
                name,
                lambda seed, index, case, step=step: better(seed, index, case) + 0.01 * step,
                seed=seed,
                cases=SIX,
            )
    table = pairs.comparison_table(pairs.pairwise(read_results([tmp_path])))
    assert len(table) == 3
    assert table["holm_seeds"].tolist() == pytest.approx(holm(table["p_seeds"]))
    assert (table["family"] == 3).all()
    assert table["holm_seeds"].tolist() == pytest.approx([3 * 0.03125] * 3)


def test_an_empty_table_of_comparisons_keeps_its_columns():
    assert "holm_cases" in pairs.comparison_table([]).columns


def test_the_win_matrix_has_a_row_and_a_column_for_each_label(found):
    matrix = pairs.wins(found)
    assert list(matrix.index) == list(matrix.columns) == list(found.labels)
    assert matrix.loc["entropy", "random"] == 1
    assert matrix.loc["random", "oracle"] == -1
    assert matrix.loc["entropy", "oracle"] == 0
    distances = pairs.wins(found, Measure("hd"))
    assert distances.loc["entropy", "random"] == 1  # less is better


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"metric": "dise"}, "metric 'dise' .*Did you mean 'dice'"),
        ({"region": "antrior"}, "region 'antrior' .*Did you mean 'anterior'"),
        ({"cost": "minutes"}, "cost 'minutes' .*slices, shown, cases, pixels"),
        ({"at": 9}, "compared at 9. Name a round from 0 to 2"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(found, question, words):
    with pytest.raises(SettingError, match=words):
        pairs.compare(found, "entropy", "random", Measure(**question))


def test_an_unknown_strategy_is_refused_with_the_known_ones(found):
    with pytest.raises(SettingError, match=r"strategy 'entrpy' .*Did you mean 'entropy'"):
        pairs.compare(found, "entrpy", "random")
