"""Tables of a report, against values that follow from runs written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.errors import SettingError
from workbench.experiments import summaries
from workbench.experiments.costs import COSTS
from workbench.experiments.results import read_results
from workbench.experiments.statistics import bootstrap_interval

from .made_runs import CASES, REGIONS, change_round, make_run, row, scores


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


def test_ceilings_are_summarized_likewise_and_may_be_absent(found, compared):
    line = row(summaries.ceilings(found), metric="dice", region="posterior")
    assert (line["mean"], line["n"], line["slices"]) == (pytest.approx(0.72), 3, 200)
    alone = read_results([compared / "random-0"])
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
