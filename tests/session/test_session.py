"""The loop as a person turns it, on four small cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.experiments.tiny import tiny_config
from workbench.errors import RunError, SettingError, WorkbenchError
from workbench.experiments.runs import Run
from workbench.files import cache_folder
from workbench.models.compute import Compute
from workbench.session import Session
from workbench.strategies.base import Suggestions
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.needs import Latents
from workbench.training.manifold import manifold_key


def a_session(folder: Path, strategy: object | None = None, **changes: object) -> Session:
    settings = tiny_config(**changes).to_json()
    settings.pop("strategy")
    source = settings.pop("source")
    return Session(source, folder, strategy=strategy, **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("session") / "run"


@pytest.fixture
def suggested(tmp_path):
    """A session with its first suggestions."""
    session = a_session(tmp_path / "run")
    session.open()
    session.wait()
    session.next()
    session.wait()
    yield session
    session.close()


def test_an_opened_cohort_is_shown_before_anything_is_trained(tmp_path):
    session = a_session(tmp_path / "run")
    assert session.next_step == "Open the cohort"
    session.open()
    assert session.busy == "cohort"
    session.wait()
    assert session.steps["cohort"].state == "ready"
    assert session.maps[session.map_name].method == "pixels"
    assert session.maps[session.map_name].xy.shape == (len(session.pool), 2)
    assert session.next_step.startswith("Get the first suggestions")
    assert not set(session.test_cases) & {each.case for each in session.pool.ids}
    assert session.training_seconds(5) > 0  # what it costs is said before it is chosen
    session.close()


def test_one_button_leads_to_suggestions_labels_and_the_next_round(suggested):
    session = suggested
    assert len(session.suggestions.rows) == 3
    assert session.preview.exact
    assert session.current in session.suggestions.rows
    asked = session.suggestions.rows
    session.next()
    assert (session.pool.labeled_in[asked] == 1).all()
    assert session.steps["model"].state == "stale"
    session.next()
    session.wait()
    assert session.round.index == 1
    assert [int(each.pool.labeled.sum()) for each in session.rounds] == [4, 7]
    assert session.next_step.startswith("Label these 3")
    assert not session.pool.labeled[session.suggestions.rows].any()


def test_a_moving_slider_changes_the_preview_and_a_resting_one_the_suggestions(suggested):
    session = suggested
    session.calibrate()
    session.wait()
    alpha, before = session.preview.shift.alpha, session.suggestions
    session.tune(settled=False, alpha=alpha * 3)
    assert not session.preview.exact
    assert session.suggestions is before
    assert session.preview.displacement > 2
    session.tune(settled=True, alpha=alpha * 3)
    session.wait()
    assert session.preview.exact
    assert session.suggestions is not before
    assert session.strategy.alpha == pytest.approx(alpha * 3)


def test_calibration_moves_the_sources_two_neighbor_distances(suggested):
    suggested.calibrate(2.0)
    suggested.wait()
    assert suggested.preview.displacement == pytest.approx(2.0, rel=0.4)


def test_the_setting_as_printed_hardly_moves_z(suggested):
    suggested.as_printed()
    suggested.wait()
    assert suggested.preview.shift.alpha == 1e-3
    assert suggested.preview.displacement < 0.01
    assert np.isfinite(suggested.preview.shift.shifted).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alpha": -1.0}, "a number above 0"),
        ({"max_angle": 270.0}, "from 0 to 180"),
        ({"no_such_setting": 1}, "no parameter 'no_such_setting'"),
    ],
)
def test_a_setting_out_of_range_is_refused_in_a_sentence(suggested, change, words):
    before = suggested.strategy
    suggested.tune(**change)
    assert words in suggested.problem
    assert suggested.strategy is before
    with pytest.raises(WorkbenchError):
        suggested.wait()


@pytest.mark.parametrize("budget", [0, -3, 100_000])
def test_a_budget_outside_the_pool_is_refused(suggested, budget):
    suggested.set_budget(budget)
    assert "Choose between 1 and" in suggested.problem
    assert suggested.budget == 3


def test_another_budget_suggests_again(suggested):
    suggested.set_budget(6)
    suggested.wait()
    assert len(suggested.suggestions.rows) == 6


def test_another_z_dimension_trains_once_and_then_switches_at_once(suggested):
    session = suggested
    assert session.trained_dims == (2,)
    session.set_z(3)
    session.wait()
    assert session.trained_dims == (2, 3)
    assert session.latent.z.shape[1] == 3
    assert session.preview.shift.z.shape[1] == 3
    session.set_z(2)
    assert session.latent.z.shape[1] == 2
    session.wait()
    session.set_z(1)
    assert "at least 2" in session.problem


def test_a_running_step_refuses_another_and_can_be_stopped(tmp_path):
    session = a_session(tmp_path / "run", segmentation={"min_steps": 5000})
    session.open()
    session.wait()
    session.train_manifold()
    session.wait()
    session.start_round()
    session.start_round()
    assert "still running" in session.problem
    session.cancel()
    with pytest.raises(WorkbenchError, match="still running"):
        session.wait(30)
    assert session.busy == ""
    assert "stopped" in session.steps["model"].detail
    assert session.steps["model"].stopped
    assert session.next_step == "Resume the first round"
    assert session.round is None
    session.close()


def test_a_manifold_stopped_for_another_z_dimension_leaves_the_one_in_use_ready(suggested):
    session = suggested
    before, losses = session.steps["manifold"], session.losses["manifold"]
    session.set_z(5)
    session.cancel()
    session.wait(30)
    assert session.steps["manifold"] == before
    assert session.losses["manifold"] == losses
    assert session.z_dim == 2
    assert session.latent.z.shape[1] == 2
    assert session.next_step.startswith("Label these 3")


def test_a_manifold_that_was_cut_off_offers_to_go_on(tmp_path):
    session = a_session(tmp_path / "run", manifold_seed=77)
    session.open()
    session.wait()
    assert session.next_step.startswith("Get the first suggestions")
    config, compute = session.config.manifold_config(), session._compute
    key = manifold_key(session.images, config, compute, session.config.manifold_seed)
    session.close()
    left = cache_folder() / "manifolds" / key / "checkpoint.safetensors"
    left.parent.mkdir(parents=True)
    left.touch()
    again = a_session(tmp_path / "run", manifold_seed=77)
    again.open()
    again.wait()
    assert again.steps["manifold"].stopped
    assert again.next_step == "Resume the manifold"
    again.close()
    left.unlink()


def test_one_of_a_thing_is_told_in_the_singular(suggested):
    session = suggested
    assert session.steps["curve"].detail == "1 round"
    assert session.steps["model"].detail.startswith("4 labeled slices")
    session.set_budget(1)
    session.wait()
    assert session.steps["suggest"].detail == "1 suggestion"
    session.next()
    assert session.steps["annotate"].detail == "1 slice labeled from the reference"
    assert session.steps["model"].detail == "1 new label waits to be trained on"


def test_a_killed_kernel_loses_no_label_and_no_setting(tmp_path):
    first = a_session(tmp_path / "run")
    first.open()
    first.wait()
    first.next()
    first.wait()
    first.tune(alpha=2.0, max_angle=90.0)
    first.wait()
    wanted = first.suggestions.rows.copy()
    first.close()

    second = a_session(tmp_path / "run")
    second.open()
    second.wait()
    assert second.suggestions.rows.tolist() == wanted.tolist()
    assert second.strategy == GradientGuided(alpha=2.0, max_angle=90.0)
    second.label_suggestions()
    second.close()

    third = a_session(tmp_path / "run")
    third.open()
    third.wait()
    assert (third.pool.labeled_in[wanted] == 1).all()
    assert third.next_step == "Start round 1"
    third.next()
    third.wait()
    assert third.round.index == 1
    third.close()


def test_random_choice_is_followed_in_idle_time_with_as_many_labels(suggested):
    session = suggested
    session.next()
    session.next()
    session.wait()
    session._background.wait(60)
    assert [labeled for labeled, _ in session.ghost] == [4, 7]
    assert session.ghost[0][1] == session.rounds[0].metrics["mean"]


def test_any_two_latent_axes_can_be_shown(suggested):
    suggested.show_map("z2·z1")
    shown = suggested.maps[suggested.map_name]
    assert suggested.map_name == "z2·z1"
    assert np.allclose(shown.xy[:, 0], suggested.latent.z[:, 1])
    suggested.show_map("z1·z9")
    assert "There is no map 'z1·z9'" in suggested.problem


def test_t_sne_is_computed_beside_and_then_shown(suggested):
    suggested.show_map("t-SNE")
    assert suggested.computing == {"t-SNE": 0.0}
    suggested.wait()
    assert suggested.map_name == "t-SNE"
    assert suggested.maps["t-SNE"].xy.shape == (len(suggested.pool), 2)


def test_the_inspector_gets_the_source_its_gradient_and_the_neighbors(suggested):
    session = suggested
    session.inspect(int(session.suggestions.rows[0]))
    seen = session.inspection()
    h, w = session.images.images.shape[2:]
    for picture in (seen.picture, seen.x, seen.gradient, seen.x_shifted, seen.decoded):
        assert picture.shape == (h, w)
    assert seen.reference.shape == seen.prediction.shape == (h, w)
    assert seen.rank == 1
    assert seen.distance_u == pytest.approx(
        session.suggestions.distance[0] / session.latent.neighbor_distance
    )
    assert seen.source_id in {str(session.pool.ids[row]) for row in session.preview.shift.sources}
    assert "nearest to z′" in seen.sentence
    other = session.inspection(row=int(session.preview.shift.sources[0]))
    assert other.rank == 0
    assert other.sentence.startswith("A source of suggestions")
    step = float(
        np.linalg.norm(
            session.round.evidence.known_probe(session.strategy.shift()).shifted_images(
                session.preview.shift.alpha, "l2", [0]
            )[0]
            - session.images.read([session.preview.shift.sources[0]])[0]
        )
    )
    image = float(np.linalg.norm(session.images.read([session.preview.shift.sources[0]])[0]))
    told = f"for this source the step is {step / image:.1f} times as long as x"
    assert (told in other.sentence) == (step / image > 0.5)


def test_a_missing_cohort_fails_its_step_with_a_sentence(tmp_path):
    session = Session(tmp_path / "nowhere", tmp_path / "run")
    session.open()
    with pytest.raises(WorkbenchError):
        session.wait()
    assert session.steps["cohort"].state == "failed"
    assert "nowhere" in session.problem
    assert session.next_step == "Open the cohort"


@dataclass(frozen=True)
class Greedy:
    """Breaks the contract: suggests what is labeled."""

    def needs(self):
        return frozenset({Latents()})

    def select(self, evidence, budget, rng):
        return Suggestions(np.flatnonzero(evidence.labeled)[: budget.n])


def test_a_strategy_that_breaks_the_contract_is_named(tmp_path):
    session = a_session(tmp_path / "run", strategy=Greedy())
    session.open()
    session.wait()
    session.next()
    with pytest.raises(WorkbenchError, match="Greedy"):
        session.wait()
    assert session.steps["model"].state == "failed"
    session.close()


def test_an_initial_set_as_large_as_the_pool_is_refused(tmp_path):
    session = a_session(tmp_path / "run", initial=10_000)
    session.open()
    session.wait()
    session.next()
    with pytest.raises(SettingError, match="Choose between 1 and"):
        session.wait()
    session.close()


def test_the_validation_cases_say_when_it_may_be_enough_and_a_new_kernel_still_says_it(tmp_path):
    held = {"cases": 6, "validation_fraction": 0.25, "stop": {"dice": 1e-6}}
    session = a_session(tmp_path / "run", **held)
    session.open()
    session.wait()
    assert session.log[-1].endswith("held out for testing, 2 for validation.")
    assert session.steps["cohort"].detail.endswith(", 2 to validate")
    session.next()
    session.wait()
    assert session.round.stopped.startswith("The validation Dice reached")
    assert f"This may be enough. {session.round.stopped}" in session.log
    assert session.next_step.startswith("Label these")  # a person may go on all the same
    session.close()
    again = Session("phantom", tmp_path / "run")  # its settings are those of the run
    again.open()
    again.wait()
    assert again.round.stopped == session.round.stopped
    assert again.round.validation == session.round.validation
    again.close()


def test_a_run_is_continued_with_its_own_settings_where_none_are_given(tmp_path):
    begun = tiny_config(unit="volumes", budget=2, strategy={"name": "margin"})
    run = Run.create(tmp_path / "run", begun, Compute())
    session = Session("phantom", tmp_path / "run")
    assert (session.budget, session.noun) == (2, "volume")
    assert type(session.strategy).__name__ == "Margin"
    run.check_settings(session.config)
    other = Session("phantom", tmp_path / "run", budget=12)
    with pytest.raises(RunError, match="budget is 2 there and 12 here"):
        run.check_settings(other.config)
    with pytest.raises(RunError, match="strategy is .* there"):
        run.check_settings(Session("phantom", run.folder, strategy=GradientGuided()).config)


def test_a_setting_that_no_session_has_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(SettingError, match="no setting 'budgett'. Did you mean 'budget'"):
        Session("phantom", tmp_path, budgett=3)
