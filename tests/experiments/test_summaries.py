"""Tables of a report, against values that follow from runs written by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import SettingError
from workbench.experiments import summaries
from workbench.experiments.results import COSTS, Results, read_results
from workbench.experiments.statistics import bootstrap_interval, compare_scores, holm, sentence

from .made_runs import CASES, REGIONS, change_round, make_full, make_run, scores

SIX = tuple(f"case_{number}" for number in range(1, 7))


def random(seed: int, index: int, case: int) -> float:
    """Between .50 and .70 over the rounds, higher for later seeds and cases."""
    return 0.5 + 0.1 * index + 0.01 * seed + 0.001 * case


def better(seed: int, index: int, case: int) -> float:
    """As much as random in round 0, then more by .01 to .02, by seed and case."""
    gain = (0.01 + 0.001 * seed + 0.0005 * case) * min(index, 1)
    return random(seed, index, case) + gain


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Seven seeds of two strategies, two of a third, and what all data gives at three seeds."""
    place = tmp_path_factory.mktemp("runs")
    for seed in range(7):
        make_run(place / f"random-{seed}", dice=random, seed=seed, cases=SIX)
        make_run(place / f"entropy-{seed}", "entropy", better, seed=seed, cases=SIX)
    for seed in range(2):
        make_run(place / f"oracle-{seed}", "oracle", better, seed=seed, cases=SIX)
    for seed in range(3):
        make_full(place / f"full-{seed}", 0.7, seed=seed, cases=SIX)
    return place


@pytest.fixture(scope="module")
def found(folder) -> Results:
    return read_results([folder])


def row(table, **chosen):
    for key, value in chosen.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_a_learning_curve_is_the_mean_over_cases_and_then_over_runs(found):
    curves = summaries.learning_curves(found)
    assert list(curves.columns[:9]) == [
        "label", "round", "metric", "region", "mean", "sd", "low", "high", "n",
    ]  # fmt: skip
    line = row(curves, label="random", round=2, metric="dice", region="anterior")
    values = 0.7 + 0.01 * np.arange(7) + 0.0025
    assert line["mean"] == pytest.approx(values.mean())
    assert line["sd"] == pytest.approx(values.std(ddof=1))
    low, high = bootstrap_interval(values)
    assert (line["low"], line["high"]) == pytest.approx((float(low), float(high)))
    assert line["n"] == 7
    assert [line[cost] for cost in COSTS] == [40, 100, 6, 4000]


def test_ceilings_are_summarized_likewise_and_may_be_absent(found, folder):
    line = row(summaries.ceilings(found), metric="dice", region="posterior")
    assert (line["mean"], line["n"], line["slices"]) == (pytest.approx(0.72), 3, 200)
    alone = read_results([folder / "random-0"])
    assert summaries.ceilings(alone).empty
    assert summaries.budgets_needed(alone).empty


@pytest.mark.parametrize(("cost", "x"), [("slices", (10, 20, 40)), ("shown", (10, 40, 100))])
def test_areas_depend_on_what_is_counted(found, cost, x):
    line = row(summaries.areas(found, cost), label="oracle", metric="dice", region="mean")
    late = 0.01 + 0.001 * np.arange(2) + 0.0005 * 2.5
    base = 0.51 + 0.01 * np.arange(2) + 0.0025
    y = [base, base + 0.1 + late, base + 0.2 + late]
    expected = ((x[1] - x[0]) * (y[0] + y[1]) / 2 + (x[2] - x[1]) * (y[1] + y[2]) / 2) / (
        x[2] - x[0]
    )
    assert line["mean"] == pytest.approx(expected.mean())
    assert line["sd"] == pytest.approx(expected.std(ddof=1))


def test_the_budget_for_nearly_everything_or_infinity(found):
    table = summaries.budgets_needed(found)
    # The target .99 × .71 = .7029 lies between .6525 and .7525 of random's mean curve.
    line = row(table, label="random")
    target, low = 0.99 * 0.71, 0.64 + 0.0025
    assert line["target"] == pytest.approx(target)
    expected = 20 + 20 * (target - low) / 0.1
    assert line["budget"] == pytest.approx(expected)
    assert line["of_all"] == pytest.approx(expected / 200)
    assert (line["reached"], line["n"]) == (7, 7)
    never = summaries.budgets_needed(found, share=1.2)
    assert np.isinf(never["budget"]).all()
    assert (never["reached"] == 0).all()


def test_a_budget_for_a_distance_is_refused(found):
    with pytest.raises(SettingError, match="metric is 'hd95'"):
        summaries.budgets_needed(found, metric="hd95")


def test_the_foreground_of_suggestions_is_told_apart_from_that_of_the_initial_set(found):
    table = summaries.annotated(found)
    first, last = row(table, label="random", round=0), row(table, label="random", round=2)
    assert first["foreground"] == pytest.approx(50 / 1000)
    assert math.isnan(first["foreground_suggested"])
    assert last["foreground"] == pytest.approx(400 / 4000)
    assert last["foreground_suggested"] == pytest.approx(350 / 3000)
    assert (last["slices"], last["shown"], last["n"]) == (40, 100, 7)


def test_seconds_leave_out_the_round_that_strategies_share(found):
    line = row(summaries.seconds(found), label="oracle")
    assert line["training"] == pytest.approx(3.5)
    assert line["suggesting"] == pytest.approx(0.5)
    assert line["n"] == 4


def test_repetitions_count_seeds_and_manifolds_apart(tmp_path):
    for seed, manifold in ((0, 0), (0, 1), (1, 0)):
        make_run(tmp_path / f"{seed}-{manifold}", seed=seed, manifold_seed=manifold)
    table = summaries.repetitions(read_results([tmp_path]))
    assert table.to_dict("records") == [{"label": "random", "runs": 3, "seeds": 2, "manifolds": 2}]


def test_a_region_that_was_missed_is_counted_as_a_penalty(tmp_path):
    run = make_run(tmp_path / "run")
    missed = {case: {region: scores(0.8) for region in REGIONS} for case in CASES}
    missed["case_2"]["posterior"] = scores(0.0)
    change_round(run, 2, cases=missed)
    table = summaries.penalties(read_results([tmp_path]))
    assert table[table["penalties"] > 0].to_dict("records") == [
        {"label": "random", "round": 2, "region": "posterior", "penalties": 1, "of": 4}
    ]
    assert len(table) == 3 * len(REGIONS)


# -------------------------------------------------------------------- comparisons
def test_strategies_are_compared_on_the_seeds_that_both_have(found):
    compared = summaries.compare(found, "entropy", "random", at=2, region="anterior")
    gain = 0.01 + 0.001 * np.arange(7)[:, None] + 0.0005 * np.arange(6)
    by_hand = compare_scores(
        gain, np.zeros((7, 6)), names=("entropy", "random"), region="anterior", at=2
    )
    assert compared.difference == pytest.approx(by_hand.difference)
    assert (compared.low, compared.high) == pytest.approx((by_hand.low, by_hand.high))
    assert (compared.p_seeds, compared.p_cases) == (by_hand.p_seeds, by_hand.p_cases)
    assert compared.p_seeds == pytest.approx(2 / 2**7)
    assert summaries.compare(found, "oracle", "random").seeds == 2


def test_the_area_is_compared_case_by_case(found):
    table = summaries.case_scores(found, region="anterior")
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
    compared = summaries.compare(found, "core-set", "random", at=-1)
    assert (compared.seeds, compared.at) == (1, 2)
    assert compared.difference == pytest.approx(0.03)
    assert row(summaries.areas(found), label="core-set", metric="dice", region="mean")["n"] == 2


def test_the_honest_sentence_of_every_strategy_against_random(found):
    entropy, oracle = summaries.compare_with(found)
    assert sentence(entropy).startswith("entropy beats random by 0.012 Dice (p = 0.016 over 7")
    assert "Holm" not in sentence(entropy)  # the other one has no p-value
    assert sentence(oracle).startswith("Whether oracle beats random cannot be said from 2 seeds")
    assert [each.family for each in (entropy, oracle)] == [1, 1]


def test_the_best_two_are_ranked_by_what_is_better(found):
    best = summaries.best_two(found, at=2, among=["random", "entropy"])
    assert (best.first, best.second) == ("entropy", "random")
    distance = summaries.best_two(found, "hd95", at=2, among=["random", "entropy"])
    assert (distance.first, distance.second) == ("entropy", "random")
    assert distance.difference < 0
    assert distance.better
    assert summaries.best_two(found, among=["random"]) is None


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
    pairs = summaries.pairwise(read_results([tmp_path]))
    table = summaries.comparison_table(pairs)
    assert len(table) == 3
    assert table["holm_seeds"].tolist() == pytest.approx(holm(table["p_seeds"]))
    assert (table["family"] == 3).all()
    assert table["holm_seeds"].tolist() == pytest.approx([3 * 0.03125] * 3)


def test_an_empty_table_of_comparisons_keeps_its_columns():
    assert "holm_cases" in summaries.comparison_table([]).columns


def test_the_win_matrix_has_a_row_and_a_column_for_each_label(found):
    matrix = summaries.wins(found)
    assert list(matrix.index) == list(matrix.columns) == list(found.labels)
    assert matrix.loc["entropy", "random"] == 1
    assert matrix.loc["random", "oracle"] == -1
    assert matrix.loc["entropy", "oracle"] == 0
    distances = summaries.wins(found, "hd")
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
        summaries.compare(found, "entropy", "random", **question)


def test_an_unknown_strategy_is_refused_with_the_known_ones(found):
    with pytest.raises(SettingError, match=r"strategy 'entrpy' .*Did you mean 'entropy'"):
        summaries.compare(found, "entrpy", "random")
