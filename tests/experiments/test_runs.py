"""Settings and folders of experiments."""

from __future__ import annotations

import json

import pytest
import torch

from workbench.errors import RunError, SettingError
from workbench.experiments.config import RunConfig
from workbench.experiments.runs import Run
from workbench.models.compute import Compute

from .tiny import tiny_config


def test_settings_come_back_from_json():
    config = tiny_config(seed=4, budget=["5 %", 3], epochs=[1, 2, 3])
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert config.segmentation_config().features == (4, 4, 8, 8, 8, 4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rounds": -1}, "rounds is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"manifold_seed": 0.5}, "manifold_seed is 0.5"),
        ({"budget": -2}, "budget is -2"),
        ({"initial": 0}, "initial is 0"),
        ({"test_fraction": 1.5}, "between 0 and 1"),
        ({"initial": "120 %"}, "initial is '120 %'"),
        ({"budget": "some"}, "budget is 'some'"),
        ({"budget": [3, 0]}, "budget of round 2 is 0"),
        ({"budget": [3, 3, 3]}, "budget has 3 entries.*must be 2"),
        ({"epochs": [1, 2]}, "epochs has 2 entries.*must be 3"),
        ({"epochs": -1}, "epochs is -1"),
        ({"epochs": [1, 0, 1], "segmentation": {"min_steps": 0}}, "trains nothing"),
        ({"budget": 3.5}, "budget is 3.5. It must be a whole number"),
        ({"epochs": 2.5}, "epochs is 2.5. It must be a whole number"),
        ({"source": 3}, "source is 3"),
        ({"cases": 0}, "cases is 0. It must be a whole number of at least 1"),
        ({"threads": "all"}, "threads is 'all'"),
        ({"precision": "half"}, "precision is 'half'. Choose one of: auto, float32, bfloat16"),
        ({"manifold": {"z_dim": 2.5}}, "manifold.z_dim is 2.5. It must be a whole number"),
        ({"segmentation": {"learning_rate": "x"}}, "learning_rate is 'x'. It must be a number"),
        ({"segmentation": {"features": [4, 4]}}, "must be a list of 6 whole numbers"),
        ({"segmentation": {"decay": 1}}, "decay is 1. It must be true or false"),
        (
            {"recipe": {"size": 64}},
            "The slice size is 64. Rows and columns must be multiples of 16",
        ),
        ({"unit": "patients"}, "'slices', whole 'cases' of slices"),
        ({"continue_weights": "no"}, "continue_weights is 'no'"),
        ({"transfer": {"pretrain": "CBICA"}}, "names two sites"),
        ({"transfer": {"pretrain": "TCIA", "pool": "TCIA"}}, "names two sites"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(change, words):
    with pytest.raises(SettingError, match=words):
        tiny_config(**change)


def test_an_unknown_setting_of_a_section_lists_the_known_ones():
    with pytest.raises(SettingError, match="no setting 'epoch'.*epochs"):
        tiny_config(segmentation={"epoch": 3}).segmentation_config()


def test_a_run_from_a_newer_version_is_refused():
    with pytest.raises(RunError, match="does not know: novelty"):
        RunConfig.from_json({**tiny_config().to_json(), "novelty": 1})


def test_a_folder_with_other_settings_is_refused_naming_the_first(tmp_path):
    Run.create(tmp_path / "run", tiny_config(), Compute())
    with pytest.raises(RunError, match="seed is 0 there and 5 here"):
        Run.open(tmp_path / "run", tiny_config(seed=5), Compute())
    more = Run.open(tmp_path / "run", tiny_config(rounds=9), Compute())
    assert more.rounds == ()


def test_settings_written_as_tuples_are_the_same_after_a_restart(tmp_path):
    config = tiny_config(recipe={"size": (64, 64)}, segmentation={"features": (4,) * 6})
    Run.create(tmp_path / "run", config, Compute())
    assert Run.open(tmp_path / "run", config, Compute()).rounds == ()


def test_damaged_weights_tell_which_round_to_run_again(tmp_path):
    run = Run.create(tmp_path, tiny_config(), Compute())
    run.weights(2).parent.mkdir(parents=True)
    run.weights(2).write_bytes(b"half")
    with pytest.raises(RunError, match=r"round 2 cannot be used.*Delete .*002: the run then"):
        run.load_model(2, torch.nn.Linear(1, 1))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"no run\.json"):
        Run.load(tmp_path)


def test_a_damaged_run_is_refused_in_a_sentence(tmp_path):
    Run.create(tmp_path, tiny_config(), Compute())
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="damaged after it was written"):
        Run.load(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"config": tiny_config().to_json()}))
    with pytest.raises(RunError, match="damaged after it was written"):
        Run.load(tmp_path)


def test_hardware_mode_and_versions_are_recorded(tmp_path):
    run = Run.create(tmp_path, tiny_config(), Compute(threads=1, precision="float32"))
    assert run.environment["compute"]["precision"] == "float32"
    assert run.environment["compute"]["threads"] == 1
    assert run.environment["packages"]["torch"]
