"""Runs in which a simulated annotator draws the labels."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from workbench.annotation import Ledger
from workbench.annotation.costs import cost_of_round
from workbench.errors import SettingError
from workbench.experiments.runs import Run
from workbench.experiments.simulate import open_run_data, simulate
from workbench.jobs import finish
from workbench.strategies import record
from workbench.strategies.cost_aware import CostAware

from .tiny import story, tiny_config

AMOUNTS = (
    "contour_pixels", "changed_pixels", "contour_mm", "strokes", "active_seconds", "opened",
)  # fmt: skip


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    """A run of two rounds in which an exact annotator corrects predictions."""
    folder = tmp_path_factory.mktemp("annotated") / "run"
    config = tiny_config(strategy={"name": "margin"}, annotator={})
    return config, finish(simulate(config, folder))


def ledger_of(run: Run) -> Ledger:
    return Ledger(run.folder / "annotations.sqlite")


def test_every_round_tells_what_its_labels_cost(annotated):
    _, run = annotated
    sums = dict.fromkeys(AMOUNTS, 0.0)
    with ledger_of(run) as ledger:
        for saved in run.rounds:
            totals = ledger.totals(["round"])[saved.index,]
            effort = saved.effort
            assert len(effort["classes"]) == len(effort["shared"]) == 3
            assert effort["strokes"] == totals.strokes
            assert effort["active_seconds"] == pytest.approx(totals.active_seconds)
            assert effort["contour_mm"] == pytest.approx(totals.contour_mm)
            assert effort["opened"] == len(saved.labeled)
            saved_pixels = np.subtract(effort["reference"], effort["shared"]).sum()
            assert effort["contour_pixels"] == saved_pixels
            for name in AMOUNTS:
                sums[name] += effort[name]
                assert saved.annotated[name] == pytest.approx(sums[name])
            assert saved.annotated["from_reference"] == 0
    assert run.rounds[0].effort["shared"] == [0, 0, 0], "the first set is drawn from nothing"


def test_an_exact_annotator_draws_the_references_from_the_last_networks_predictions(annotated):
    config, run = annotated
    data = finish(open_run_data(config))
    rows = {str(each): row for row, each in enumerate(data.pool.ids)}
    with ledger_of(run) as ledger:
        for saved in run.rounds:
            for name in saved.labeled:
                assert np.array_equal(ledger.latest(name), data.labels.read([rows[name]])[0])
                opened = ledger.entries(name)[0]
                assert opened.kind == "opened"
                assert opened.round == saved.index
                assert opened.started_from == ("prediction" if saved.index else "empty")


def test_a_killed_run_goes_on_to_the_same_costs(annotated, tmp_path):
    config, run = annotated
    shutil.copytree(run.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "rounds" / "002")
    again = finish(simulate(config, tmp_path / "run"))
    assert story(again.folder) == story(run.folder)
    assert [each.effort for each in again.rounds] == [each.effort for each in run.rounds]
    with ledger_of(run) as one, ledger_of(again) as other:
        assert len(one) == len(other), "nothing was drawn twice"


def test_an_exact_annotator_changes_no_result(annotated, tmp_path):
    _, run = annotated
    plain = finish(simulate(tiny_config(strategy={"name": "margin"}), tmp_path / "run"))
    assert story(plain.folder) == story(run.folder)
    assert not any(saved.effort for saved in plain.rounds)
    assert set(plain.rounds[-1].annotated) == {"slices", "cases", "pixels", "foreground_pixels"}


def test_an_inexact_annotator_is_what_the_network_learns_from(annotated, tmp_path):
    _, run = annotated
    config = tiny_config(strategy={"name": "margin"}, rounds=0, annotator={"noise_mm": 3.0})
    noisy = finish(simulate(config, tmp_path / "run"))
    assert noisy.rounds[0].labeled == run.rounds[0].labeled
    assert noisy.rounds[0].losses != run.rounds[0].losses


def test_predicted_effort_is_judged_by_the_held_references(tmp_path):
    config = tiny_config(strategy=record(CostAware(passes=2)), rounds=1, annotator={})
    run = finish(simulate(config, tmp_path / "run"))
    told = run.rounds[0].effort
    assert -1 <= told["spearman"] <= 1
    assert told["spearman_rows"] == run.rounds[0].pool["slices"] - 4


def test_whole_volumes_are_annotated_too(tmp_path):
    config = tiny_config(
        strategy={"name": "random"}, unit="volumes", initial=1, budget=1, rounds=1,
        recipe={"spacing": 5.0, "size": [32, 32, 32]}, annotator={},
        segmentation={
            "features": [2, 2, 2, 2, 2, 2], "epochs": 1, "min_steps": 2, "batch_size": 1,
        },
    )  # fmt: skip
    run = finish(simulate(config, tmp_path / "run"))
    depth = finish(open_run_data(config)).images.size[0]
    assert run.rounds[1].effort["opened"] == depth
    assert run.rounds[1].effort["reference"][-1] > 0


def test_costs_of_one_round_leave_out_the_others(annotated):
    _, run = annotated
    with ledger_of(run) as ledger:
        spacing = dict.fromkeys(run.rounds[1].labeled, (1.0, 1.0))
        first = cost_of_round(ledger, 0, 4, spacing)
        second = cost_of_round(ledger, 1, 4, spacing)
    assert first.effort.reference.sum() == 0, "none of its slices was asked for"
    assert second.effort.reference.tolist() == run.rounds[1].effort["reference"]


def test_an_annotator_with_wrong_settings_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SettingError, match=r"annotator has no setting 'noise'.*noise_mm"):
        tiny_config(annotator={"noise": 1})
    with pytest.raises(SettingError, match="annotator is 3"):
        tiny_config(annotator=3)
