"""The protocol of the effort paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.errors import SettingError
from workbench.experiments.config import RunConfig
from workbench.experiments.protocols import protocol
from workbench.experiments.simulate import simulate
from workbench.experiments.sweep import read_sweep
from workbench.jobs import finish

from .tiny import tiny_config

RESULTS = Path(__file__).parents[2] / "notebooks" / "results" / "effort"
SMALL = {"features": [4, 8, 8, 8, 8, 4], "epochs": 2, "min_steps": 4, "batch_size": 4}


def effort(**given):
    """The protocol on the phantom, with next to no training."""
    small = {
        "source": "phantom", "cases": 8, "test_fraction": 0.25, "validation_fraction": 0.13,
        "threads": 1, "precision": "float32", "strategy": {"name": "margin"}, "segmentation": SMALL,
    }  # fmt: skip
    settings, _ = protocol("effort", {**small, **given})
    return RunConfig.from_json(settings)


def test_the_papers_numbers_are_those_of_the_protocol():
    settings, _ = protocol("effort")
    config = RunConfig.from_json({**settings, "validation_fraction": 0.1})
    network = config.segmentation_config()
    assert (config.initial, config.budget, config.unit) == (2, 1, "cases")
    assert (network.patience, network.patch, network.loss) == (30, (64, 64), "effort")
    assert network.batch_dice
    assert network.u_shape
    assert network.features[:5] == (64, 128, 256, 512, 1024)


def test_settings_of_the_network_can_be_changed_one_by_one():
    settings, _ = protocol("effort", {"segmentation": {"patience": 5}})
    assert settings["segmentation"]["patience"] == 5
    assert settings["segmentation"]["patch"] == [64, 64]


@pytest.mark.parametrize("file", ["malc.toml", "ibsr18.toml"])
def test_the_committed_sweeps_can_be_run(file):
    runs = read_sweep(RESULTS / file).runs
    assert {run.config.strategy["name"] for run in runs} >= {"margin", "random"}
    assert {run.config.continue_weights for run in runs} == {True, False}
    assert {run.config.segmentation_config().architecture for run in runs} == {"u-shape", "unet"}


def test_a_run_tells_the_effort_saved_of_every_iteration_and_class(tmp_path):
    run = finish(simulate(effort(rounds=2), tmp_path / "run"))
    assert [saved.annotated["cases"] for saved in run.rounds] == [2, 3, 4]
    for saved in run.rounds:
        assert len(saved.effort["shared"]) == len(saved.effort["classes"]) == 3
        assert (np.array(saved.effort["shared"]) <= saved.effort["reference"]).all()
    assert run.rounds[0].validation_losses


@pytest.mark.slow
def test_from_an_empty_labeled_set_the_other_sites_network_asks_first(tmp_path):
    transfer = {"pretrain": "CBICA", "pool": "TCIA"}
    config = effort(rounds=2, initial=0, transfer=transfer, cases=12, validation_fraction=0.2)
    run = finish(simulate(config, tmp_path / "run"))
    first, second = run.rounds[:2]
    assert first.labeled == ()
    assert first.losses == ()
    assert first.annotated["slices"] == 0
    assert second.annotated["cases"] == 1
    assert second.effort["opened"] == len(second.labeled) > 0
    again = finish(simulate(config, tmp_path / "again"))
    assert [each.labeled for each in again.rounds] == [each.labeled for each in run.rounds]


def test_nothing_labeled_and_no_other_site_is_refused():
    with pytest.raises(SettingError, match="initial is 0.*transfer"):
        tiny_config(initial=0)


def test_a_gradient_cannot_be_followed_from_nothing(tmp_path):
    config = tiny_config(
        initial=0, rounds=1, transfer={"pretrain": "CBICA", "pool": "TCIA"}, cases=8
    )
    run = finish(simulate(config, tmp_path / "run"))
    assert len(run.rounds[0].suggested) == 3
