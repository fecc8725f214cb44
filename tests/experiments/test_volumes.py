"""Whole volumes as samples: from a folder to a run, early stopping included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.experiments.tiny import tiny_config
from workbench.cohort.pool import VolumeId
from workbench.errors import SettingError, TrainingError
from workbench.experiments.config import RunConfig
from workbench.experiments.protocols import protocol
from workbench.experiments.runs import Run
from workbench.experiments.simulate import open_run_data, simulate
from workbench.experiments.stopping import StopRule, enough
from workbench.jobs import finish


def config(**changes: object) -> RunConfig:
    tiny = tiny_config()
    settings = {
        "cases": 10,
        "unit": "volumes",
        "recipe": {"spacing": 5.0, "size": [32, 32, 32]},
        "initial": 2,
        "budget": 2,
        "rounds": 2,
        "test_fraction": 0.2,
        "segmentation": {**tiny.segmentation, "batch_size": 2, "min_steps": 2, "epochs": 2},
        "strategy": {"name": "random"},
        **changes,
    }
    return replace(tiny, **settings)


def test_a_pool_of_volumes_has_a_row_for_each_case() -> None:
    data = finish(open_run_data(config()))
    assert all(isinstance(each, VolumeId) for each in data.pool.ids)
    assert [str(each) for each in data.pool.ids] == list(data.images.cases)
    assert data.images.read([0]).shape == (1, len(data.images.channels), 32, 32, 32)
    shown = data.images.pictures([1, 0])
    np.testing.assert_array_equal(shown, data.images.read([1, 0])[:, :, 16])
    assert data.labels.read([0]).shape == (1, 32, 32, 32)
    np.testing.assert_allclose(data.images.spacing, 5.0, rtol=0.1)


def test_too_few_volumes_are_told_before_one_is_read() -> None:
    stages: list[str] = []
    other = config(initial=11, recipe={"spacing": 7.0, "size": [32, 32, 32]})
    said = r"initial set has 11 volumes, but the pool has [78] .*--initial \(initial = [67]\)"
    with pytest.raises(SettingError, match=said):
        finish(open_run_data(other), lambda progress: stages.append(progress.stage))
    assert "reading volumes" not in stages, stages


@pytest.mark.parametrize(
    "name", ["random", "margin", "entropy", "bald", "gradient-guided", "core-set", "oracle"]
)
def test_strategies_suggest_volumes_as_they_suggest_slices(name: str, tmp_path: Path) -> None:
    run = finish(simulate(config(strategy={"name": name}), tmp_path / "run"))
    assert [len(saved.labeled) for saved in run.rounds] == [2, 2, 2]
    assert [saved.annotated["cases"] for saved in run.rounds] == [2, 4, 6]
    assert run.rounds[0].annotated["slices"] == 2 * 32
    assert run.rounds[0].pool["all_cases"] == 10
    assert Run.load(tmp_path / "run").rounds == run.rounds


def test_monte_carlo_dropout_measures_volumes(tmp_path: Path) -> None:
    summed, mean = (
        finish(
            simulate(
                config(strategy={"name": "mc-dropout", "parameters": each}, rounds=1),
                tmp_path / str(number),
            )
        )
        for number, each in enumerate(({}, {"reduction": "mean"}))
    )
    for run in (summed, mean):
        assert len(run.rounds[0].suggested) == len(run.rounds[1].labeled) == 2


def test_the_last_round_takes_what_is_left(tmp_path: Path) -> None:
    run = finish(simulate(config(initial=5, budget=2, rounds=2), tmp_path / "run"))
    assert [len(saved.labeled) for saved in run.rounds] == [5, 2, 1]


@pytest.mark.slow
def test_rahimis_protocol_divides_fifty_scans_as_the_paper() -> None:
    settings, _ = protocol("volumes")
    chosen = {k: settings[k] for k in ("test_fraction", "validation_fraction")}
    data = finish(open_run_data(config(cases=50, initial=11, budget=5, rounds=3, **chosen)))
    assert data.validation is not None
    counts = len(data.pool), len(data.test_images), len(data.validation.images)
    assert sum(counts) == 50
    # the phantom has two sites, each divided by itself
    assert counts == pytest.approx((22, 22, 6), abs=1)
    everything = [*data.images.cases, *data.test_images.cases, *data.validation.images.cases]
    assert len(set(everything)) == 50


@pytest.mark.slow
def test_malc_is_learned_and_scored_structure_by_structure(
    shared_data: Path, tmp_path: Path
) -> None:
    malc = config(
        source=str(shared_data / "malc"), cases=3, recipe={"spacing": 3.0}, test_fraction=0.3,
        initial=1, budget=1, rounds=1,
    )  # fmt: skip
    data = finish(open_run_data(malc))
    structures = data.cohort.classes[1:]
    assert len(structures) == 25
    assert data.test_labels is not None
    for labels in (data.labels, data.test_labels):
        assert np.array_equal(np.unique(labels.read([0])), np.arange(26))
    run = finish(simulate(malc, tmp_path / "run"))
    assert len(run.rounds) == 2
    for saved in run.rounds:
        assert {*saved.metrics} == {*structures, "mean"}
        assert all(0 <= dice <= 1 for dice in saved.metrics.values())
        (scores,) = saved.cases.values()
        assert {*scores} == {*structures}


# ---------------------------------------------------------------- is it enough?
def test_training_with_patience_needs_validation_cases(tmp_path: Path) -> None:
    impatient = config()
    impatient = replace(impatient, segmentation={**impatient.segmentation, "patience": 1})
    with pytest.raises(TrainingError, match="validation_fraction"):
        finish(simulate(impatient, tmp_path / "run"))


def test_training_with_patience_stops_and_gives_the_best_epoch(tmp_path: Path) -> None:
    from workbench.models.compute import Compute
    from workbench.training.segmentation import train_network

    data = finish(open_run_data(config(validation_fraction=0.2)))
    assert data.validation is not None
    settings = config(
        segmentation={**config().segmentation, "learning_rate": 0.05, "patience": 3}
    ).segmentation_config()
    settings = replace(settings, epochs=200, min_steps=0, augment=False)
    compute = Compute()
    trained = finish(
        train_network(
            data.images, data.labels, np.arange(4), settings, compute,
            seed=0, round=0, validation=data.validation,
        )
    )  # fmt: skip
    assert len(trained.losses) < 400
    best = min(loss for _, loss in trained.validation)
    found = data.validation.loss(trained.network, settings.criterion, compute)
    assert found == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize(
    ("stop", "rounds", "said"),
    [
        ({"dice": 0.0001}, 1, "was asked for"),
        ({"gain": 1.0, "rounds": 1}, 2, "The validation Dice is flat"),
    ],
)
def test_a_run_stops_when_the_validation_dice_is_reached_or_flat(
    stop: dict[str, float], rounds: int, said: str, tmp_path: Path
) -> None:
    stopping = config(validation_fraction=0.2, stop=stop)
    stopping = replace(stopping, segmentation={**stopping.segmentation, "min_steps": 30})
    run = finish(simulate(stopping, tmp_path / "run"))
    assert len(run.rounds) == rounds
    assert said in run.stopped
    assert finish(simulate(stopping, tmp_path / "run")) == run
    assert Run.load(tmp_path / "run").stopped == run.stopped


def test_a_flat_curve_is_enough() -> None:
    rule = StopRule(gain=0.01, rounds=2)
    assert enough([0.5, 0.7, 0.705, 0.704], rule).startswith("The validation Dice is flat")
    assert not enough([0.5, 0.7, 0.72, 0.71], rule)
    assert not enough([0.7, 0.7], rule)


def test_a_run_cannot_be_stopped_by_its_test_cases() -> None:
    both = r"--validation 0.1 \(validation_fraction = 0.1\).*could not judge it"
    with pytest.raises(SettingError, match=both):
        config(stop={"dice": 0.9})
