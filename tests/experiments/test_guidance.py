"""Choices replayed from saved networks, on a small run and on points made by hand."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from workbench.cli import app
from workbench.cli.guidance import correlations
from workbench.cohort.pool import Pool, SliceId
from workbench.experiments.guidance import DISPLACEMENTS, compositions, describe_manifold
from workbench.experiments.simulate import simulate
from workbench.jobs import finish
from workbench.latent.space import LatentSpace
from workbench.reports.figures.guidance import compositions_figure, directions_figure

from .tiny import tiny_config


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """What the command writes of two small runs."""
    place = tmp_path_factory.mktemp("guidance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", str(place / "cache"))
        for name in ("random", "gradient-guided"):
            finish(simulate(tiny_config(strategy={"name": name}), place / "runs" / name))
        asked = ["--ask", "gradient-drawn,draw=2", "--ask", "learning-loss"]
        where = [str(place / "runs"), "-o", str(place / "out"), "--no-pictures"]
        told = CliRunner().invoke(app, ["guidance", *where, *asked])
    assert told.exit_code == 0, told.output
    names = ("manifold", "choices", "composition")
    return {name: pd.read_csv(place / "out" / f"{name}.csv") for name in names}


def test_every_network_is_asked_in_every_direction_and_with_every_strategy(tables):
    choices = tables["choices"]
    assert sorted(choices["round"].unique()) == [0, 1]
    one = choices[choices["round"] == 1]
    assert len(one) == 1 + 1 + 3 * 2 * len(DISPLACEMENTS) + 1  # the loss head has its own network
    assert set(one["choice"]) == {
        "random",
        "nearest to z",
        "gradient",
        "reversed",
        "any direction",
        "gradient-drawn,draw=2",
    }
    assert one["hardness"].between(0, 1).all()
    assert one["cover"].gt(0).all()
    assert one.loc[one["max_angle"] == 180, "outside"].eq(0).all()


def test_the_composition_of_every_run_is_told(tables):
    table = tables["composition"]
    assert sorted(table["label"].str.partition(" ")[0]) == ["gradient-guided", "random"]
    assert table["initial"].nunique() == 1  # both began with the same set


def test_what_foreground_led_to_is_told_where_there_are_runs_enough():
    numbers = {name: np.arange(6.0) for name in ("initial", "first", "all", "late")}
    table = pd.DataFrame({"label": "random", **numbers})
    others = pd.DataFrame({"label": "oracle", **{name: -each for name, each in numbers.items()}})
    told = correlations(pd.concat([table, others.head(5)]))
    assert told["strategy"].tolist() == ["random", "all runs"]
    assert told["initial → first"].tolist() == pytest.approx([1, 1])


def test_what_was_told_can_be_drawn(tables):
    drawn = directions_figure(tables["choices"])
    assert len(drawn.data) == 3 * 4  # three panels; three ways and random
    first = drawn.data[0]
    assert list(first.x) == list(DISPLACEMENTS)
    points = compositions_figure(tables["composition"])
    assert sum(len(trace.x) for trace in points.data if trace.mode == "markers") == 4


def test_where_no_run_is_random_the_command_that_asks_another_is_told_and_works(tmp_path):
    finish(simulate(tiny_config(rounds=1), tmp_path / "a run"))
    asked = ["--ask", "gradient-drawn,draw=2", "--no-pictures"]
    where = [str(tmp_path / "a run"), "-o", str(tmp_path / "out")]
    told = CliRunner().invoke(app, ["guidance", *where, *asked])
    assert told.exit_code == 1
    sentence, command = str(told.exception).split("\n")
    assert sentence.startswith("None of these runs is of 'random'")
    assert command.endswith("--of gradient-guided")
    told = CliRunner().invoke(app, shlex.split(command)[1:])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "out/choices.csv").is_file()


def test_a_manifold_that_orders_slices_by_their_place_explains_it_and_nothing_else():
    rng = np.random.default_rng(0)
    ids = tuple(SliceId(case, "axial", index) for case in "abcdefghijklmn" for index in range(20))
    case_of = np.repeat(np.arange(14), 20).astype(np.int32)
    place = np.tile(np.arange(20.0), 14)
    z = np.column_stack([place, 0.01 * rng.normal(size=280)])
    labels = SimpleNamespace(
        available=np.ones(280, bool),
        read=lambda rows: (np.arange(9).reshape(1, 3, 3) < noise[rows[0]]).astype(np.uint8),
    )
    noise = rng.integers(0, 9, 280)
    pool = Pool(ids, case_of, np.ones(280, bool), np.full(280, -1))
    study = SimpleNamespace(
        data=SimpleNamespace(pool=pool, labels=labels), latent=LatentSpace.of(z)
    )
    told = describe_manifold(study)
    assert told["place"] == pytest.approx(1.0)
    assert told["foreground"] < 0.1
    assert told["same_case"] == 0
    assert told["beside"] * told["u"] == pytest.approx(1.0, rel=0.01)


def test_foreground_is_counted_for_each_slice_of_a_part_of_a_run():
    def saved(pixels, slices, dice):
        return SimpleNamespace(
            annotated={"foreground_pixels": pixels, "slices": slices}, metrics={"mean": dice}
        )

    run = SimpleNamespace(
        rounds=[saved(20, 2, 0.1), saved(50, 4, 0.3), saved(60, 6, 0.5)],
        config=SimpleNamespace(seed=4),
    )
    (row,) = compositions({"random": [run]}).to_dict("records")
    assert (row["initial"], row["first"], row["all"]) == (10, 15, 10)
    assert (row["after"], row["late"], row["seed"]) == (0.3, pytest.approx(0.3), 4)
