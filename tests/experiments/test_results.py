"""Runs as tables: what is read, what is refused, what is left out and said."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workbench.errors import RunError
from workbench.experiments.comparison import compare_scores
from workbench.experiments.costs import COSTS
from workbench.experiments.results import read_results
from workbench.experiments.runs import Run
from workbench.experiments.statistics import area
from workbench.training.metrics import METRICS

from .made_runs import CASES, REGIONS, change_round, make_full, make_run, scores
from .tiny import run_to_the_end, tiny_config


def ours(seed: int, index: int, case: int) -> float:
    return 0.55 + 0.1 * index + 0.01 * case


@pytest.fixture
def two(tmp_path):
    """Two strategies at two seeds, and what all data gives."""
    for seed in (0, 1):
        make_run(tmp_path / f"random-{seed}", seed=seed)
        make_run(tmp_path / f"ours-{seed}", "entropy", ours, seed=seed)
        make_full(tmp_path / f"full-{seed}", seed=seed)
    return tmp_path


# ------------------------------------------------------------------------- tables
def test_every_score_is_one_row(two):
    found = read_results([two])
    assert found.labels == ("entropy", "random")
    assert found.regions == (*REGIONS, "mean")
    assert len(found.scores) == 2 * 2 * 3 * len(CASES) * 3 * len(METRICS)
    row = found.scores.query(
        "label == 'entropy' and seed == 1 and round == 2 and case == 'case_3' "
        "and region == 'posterior' and metric == 'hd95'"
    )
    assert row["value"].tolist() == pytest.approx([5 * (1 - 0.79)])
    mean = found.scores.query(
        "run == 'ours-1' and round == 2 and case == 'case_3' and region == 'mean' "
        "and metric == 'dice'"
    )
    assert mean["value"].tolist() == pytest.approx([0.78])
    assert not found.scores.isna().to_numpy().any()


def test_costs_count_what_was_annotated_and_what_was_shown(two):
    rounds = read_results([two / "random-0"]).rounds
    assert rounds["slices"].tolist() == [10, 20, 40]
    assert rounds["shown"].tolist() == [10, 10 + 3 * 10, 10 + 3 * 30]
    assert rounds["cases"].tolist() == [4, 5, 6]
    assert rounds["pixels"].tolist() == [1000, 2000, 4000]
    assert rounds["foreground_pixels"].tolist() == [50, 200, 400]
    assert rounds["seconds_training"].tolist() == [2, 3, 4]
    assert rounds["seconds_suggesting"].tolist() == [0.5] * 3
    assert set(COSTS) < set(rounds.columns)


def test_whole_cases_are_shown_as_they_are_annotated(tmp_path):
    make_run(tmp_path / "run", unit="cases")
    rounds = read_results([tmp_path]).rounds
    assert rounds["shown"].tolist() == rounds["slices"].tolist()


def test_full_data_is_a_ceiling_and_no_strategy(two):
    found = read_results([two])
    ceiling = found.ceiling.query("metric == 'dice' and region == 'anterior'")
    assert ceiling["value"].unique().tolist() == [0.9]
    assert ceiling["slices"].unique().tolist() == [200]
    assert sorted(ceiling["seed"].unique()) == [0, 1]
    assert "full data" not in set(found.scores["label"])
    assert sorted(found.runs["label"]) == ["entropy"] * 2 + ["full data"] * 2 + ["random"] * 2
    without = read_results([two / "random-0", two / "ours-0"])
    assert without.ceiling.empty
    assert list(without.ceiling.columns) == list(found.ceiling.columns)


def test_the_tables_are_what_the_statistics_take(two):
    found = read_results([two])
    table = found.scores.query("metric == 'dice' and region == 'mean'")
    curve = table.query("run == 'ours-0'").groupby("round")[["slices", "value"]].mean()
    assert area(curve["slices"], curve["value"]) == pytest.approx((10 * 0.625 + 20 * 0.725) / 30)
    last = table[table["round"] == 2].pivot(index=["label", "seed"], columns="case", values="value")
    compared = compare_scores(last.loc["entropy"], last.loc["random"], ("entropy", "random"))
    assert compared.difference == pytest.approx(0.05)
    assert (compared.seeds, compared.cases) == (2, 4)


def test_runs_are_found_at_any_depth_and_told_apart(tmp_path):
    make_run(tmp_path / "a" / "deep" / "run", seed=0)
    make_run(tmp_path / "b" / "run", seed=1)
    found = read_results([tmp_path, tmp_path / "b"])
    assert sorted(found.scores["run"].unique()) == ["a/deep/run", "b/run"]


# ------------------------------------------------------------------------- labels
def test_a_label_tells_the_parameters_in_which_runs_of_a_strategy_differ(tmp_path):
    for angle, alpha in ((60.0, 1), (180.0, 1)):
        make_run(
            tmp_path / f"g-{angle}",
            "gradient-guided",
            parameters={"max_angle": angle, "alpha": alpha},
        )
    make_run(tmp_path / "random")
    assert read_results([tmp_path]).labels == (
        "gradient-guided (max_angle=180)",
        "gradient-guided (max_angle=60)",
        "random",
    )


def test_a_label_tells_the_manifold_where_it_differs_defaults_included(tmp_path):
    make_run(tmp_path / "a", "core-set")
    make_run(tmp_path / "b", "core-set", manifold={"z_dim": 10})
    make_run(tmp_path / "c")
    default = tiny_config(manifold={}).manifold_config().z_dim
    labels = (f"core-set (z_dim={default})", "core-set (z_dim=10)", "random")
    assert read_results([tmp_path]).labels == labels


def test_training_that_differs_is_told_in_every_label_and_in_a_note(tmp_path):
    make_run(tmp_path / "a", segmentation={"min_steps": 300})
    make_run(tmp_path / "b", "entropy", segmentation={"min_steps": 600})
    found = read_results([tmp_path])
    assert found.labels == ("random (min_steps=300)", "entropy (min_steps=600)")
    assert "differ in min_steps" in found.notes[0]


def test_seeds_of_run_and_manifold_make_no_label(tmp_path):
    for seed, manifold_seed in ((0, 0), (0, 1), (1, 0)):
        make_run(
            tmp_path / f"{seed}-{manifold_seed}", "core-set", seed=seed, manifold_seed=manifold_seed
        )
    found = read_results([tmp_path])
    assert found.labels == ("core-set",)
    assert len(found.members["core-set"]) == 3
    assert found.runs["manifold_seed"].tolist() == [0, 1, 0]


def test_a_strategy_of_another_package_is_called_by_its_class(tmp_path):
    make_run(tmp_path / "a", "my.module:Mine")
    assert read_results([tmp_path]).labels == ("Mine",)


# ------------------------------------------------------------------------ refused
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "elsewhere/hippocampus"}, "the cohort .*phantom in a; hippocampus in b"),
        ({"split_seed": 3}, "split_seed .*0 in a; 3 in b"),
        ({"test_fraction": 0.5}, "test_fraction .*0.25 in a; 0.5 in b"),
        ({"recipe": {"axis": "coronal"}}, "the recipe .*: axis=axial in a; axis=coronal in b"),
        ({"budget": [10, 30]}, r"budget .*\[10, 20\] in a; \[10, 30\] in b"),
        ({"unit": "cases"}, "unit .*slices in a; cases in b"),
        ({"epochs": 30}, "epochs .*null in a; 30 in b"),
        (
            {"cases": ("case_1", "case_9")},
            r"the test set .*4 cases \(case_2.*in a; 2 cases \(case_9",
        ),
    ],
)
def test_runs_that_do_not_belong_together_are_refused_by_name(tmp_path, change, words):
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", "entropy", **change)
    with pytest.raises(RunError, match=f"cannot be compared, because {words}") as told:
        read_results([tmp_path])
    assert "Name only the folders of runs that belong together" in str(told.value)


def test_other_regions_are_refused(tmp_path):
    make_run(tmp_path / "a")
    run = make_run(tmp_path / "b", "entropy")
    for index in range(3):
        change_round(run, index, cases={case: {"tumor": scores(0.5)} for case in CASES})
    with pytest.raises(RunError, match="scored regions"):
        read_results([tmp_path])


def test_different_ceilings_are_refused(tmp_path):
    make_run(tmp_path / "a")
    make_full(tmp_path / "full-0", seed=0)
    make_full(tmp_path / "full-1", seed=1, segmentation={"min_steps": 999})
    with pytest.raises(RunError, match="training of the full-data references .*999"):
        read_results([tmp_path])


def test_a_ceiling_may_train_longer_than_the_runs_below_it(tmp_path):
    make_run(tmp_path / "a")
    make_full(tmp_path / "full", segmentation={"min_steps": 999}, epochs=50)
    assert read_results([tmp_path]).ceiling["run"].unique().tolist() == ["full"]


def test_training_on_the_initial_set_alone_is_no_ceiling(tmp_path):
    make_run(tmp_path / "a", rounds=0, budget=12, initial="5 %")
    found = read_results([tmp_path])
    assert found.labels == ("random",)
    assert found.ceiling.empty


def test_other_initial_sets_at_one_seed_are_refused(tmp_path):
    make_run(tmp_path / "a")
    run = make_run(tmp_path / "b", "entropy")
    change_round(run, 0, labeled=[f"other/axial/{n:04d}" for n in range(10)])
    with pytest.raises(RunError, match="initial set of seed 0 .*other/axial/0000"):
        read_results([tmp_path])
    make_run(tmp_path / "b", "entropy", seed=1)
    assert len(read_results([tmp_path]).runs) == 2


def test_a_run_given_twice_is_counted_once_and_a_contradiction_refused(tmp_path):
    make_run(tmp_path / "a")
    make_run(tmp_path / "again")
    found = read_results([tmp_path, tmp_path / "a"])
    assert found.scores["run"].unique().tolist() == ["a"]
    assert "again repeats a exactly" in found.notes[0]
    make_run(tmp_path / "again", dice=ours)
    with pytest.raises(RunError, match="a and again are both runs of random with seed 0"):
        read_results([tmp_path])


def test_another_precision_is_noted(tmp_path):
    make_run(tmp_path / "a")
    run = make_run(tmp_path / "b", "entropy")
    content = json.loads((run / "run.json").read_text())
    content["environment"]["compute"]["precision"] = "bfloat16"
    (run / "run.json").write_text(json.dumps(content))
    assert read_results([tmp_path]).notes == (
        "The precision was not the same in all runs: float32 in a; bfloat16 in b.",
    )


# ----------------------------------------------------------------------- left out
@pytest.mark.parametrize(
    ("done", "words"), [(0, "none of its 3 rounds is finished"), (2, "2 of its 3 rounds")]
)
def test_an_unfinished_run_is_left_out_and_listed(two, done, words):
    make_run(two / "half", "margin", done=done)
    found = read_results([two])
    assert "margin" not in found.labels
    assert [each.folder.name for each in found.left_out] == ["half"]
    assert words in str(found.left_out[0])


def test_a_run_that_labeled_everything_before_its_last_round_is_finished(tmp_path):
    run = make_run(tmp_path / "run", done=2)
    change_round(run, 1, suggested=[])
    assert read_results([run]).left_out == ()


def test_a_run_of_an_older_version_is_named_as_such(two):
    change_round(two / "ours-1", 1, cases=None)
    old = two / "ours-0"
    for index in range(3):
        change_round(old, index, cases=None, annotated=None)
    assert Run.load(old).rounds[2].cases == {}  # it can still be opened
    found = read_results([two])
    assert [each.folder.name for each in found.left_out] == ["ours-0", "ours-1"]
    assert all("older version" in str(each) for each in found.left_out)


def test_a_run_whose_strategy_was_changed_underway_is_left_out(two):
    change_round(two / "ours-1", 2, strategy={"name": "random", "parameters": {}})
    left = read_results([two]).left_out
    assert "changed between rounds" in left[0].why


def test_damaged_missing_and_headless_folders_are_listed(two):
    (two / "ours-0" / "rounds" / "001" / "round.json").write_text("{")
    (two / "ours-1" / "run.json").unlink()
    found = read_results([two, two / "nothing"])
    why = {each.folder.name: each.why for each in found.left_out}
    assert set(why) == {"ours-0", "ours-1", "nothing"}
    assert "holds a run that cannot be read" in why["ours-0"]
    assert why["ours-1"].startswith("it has rounds but no run.json")
    assert why["nothing"] == "it is not there."
    assert found.labels == ("random",)


def test_nothing_to_compare_says_why(tmp_path):
    with pytest.raises(RunError, match="no finished run.*nothing here: it is not there"):
        read_results([tmp_path / "nothing here"])
    make_full(tmp_path / "full")
    with pytest.raises(RunError, match="only full-data references"):
        read_results([tmp_path])
    with pytest.raises(RunError, match="No folder was named"):
        read_results([])


# ----------------------------------------------------------------- a run that ran
def test_a_simulated_run_saves_the_scores_of_every_test_case(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    run_to_the_end(tmp_path / "run", tmp_path / "cache", rounds=1, strategy={"name": "random"})
    run = Run.load(tmp_path / "run")
    for saved in run.rounds:
        dice = [case[region]["dice"] for case in saved.cases.values() for region in case]
        assert np.mean(dice) == pytest.approx(saved.metrics["mean"])
        labeled = [name for each in run.rounds[: saved.index + 1] for name in each.labeled]
        assert saved.annotated["slices"] == len(labeled)
        assert saved.annotated["cases"] == len({name.split("/")[0] for name in labeled})
        assert 0 <= saved.annotated["foreground_pixels"] < saved.annotated["pixels"]
    found = read_results([tmp_path])
    assert found.labels == ("random",)
    assert set(found.scores["metric"]) == set(METRICS)
    assert found.left_out == ()
