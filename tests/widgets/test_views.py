"""The views around the map: what they show of a session, and what their buttons call."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.widgets.fake_annotating import FakeAnnotating
from tests.widgets.fake_app import FakeApp
from widgets.activity import Activity
from widgets.cohort_panel import CohortPanel
from widgets.header import Header
from widgets.inspector import EMPTY, Inspector
from widgets.learning_curves import LearningCurves
from widgets.mask_editor import MaskEditor
from widgets.pictures import (
    contours,
    deep_png,
    grey,
    on_black,
    outside,
    sheet,
    shrink,
    telling,
    window,
)
from widgets.step_rail import StepRail
from widgets.training_panel import POINTS, TrainingPanel, thinned
from widgets.wording import count, duration, number, percent
from workbench.experiments.costs import EFFORTS
from workbench.jobs import Progress
from workbench.session import Step

VIEWS = [Activity, CohortPanel, Header, Inspector, LearningCurves, StepRail, TrainingPanel]


@pytest.fixture
def session():
    return FakeApp(n=240, cases=8, rounds=2)


def press(view, do, **more):
    """Send what the browser sends."""
    view._handle_custom_msg({"do": do, **more}, [])


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)))


# ------------------------------------------------------------ every view
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_can_be_made_before_anything_is_open(view):
    view(FakeApp(rounds=0, opened=False)).close()


@pytest.mark.parametrize("view", VIEWS)
def test_a_closed_view_no_longer_watches_its_session(view, session):
    shown = view(session)
    shown.close()
    for name in session.trait_names():
        assert not session._trait_notifiers.get(name, {}).get("change", [])


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_sets_no_trait_of_its_session(view, session):
    changed = []
    session.observe(lambda change: changed.append(change["name"]))
    view(session).close()
    assert changed == []


# ------------------------------------------------------------ header
def test_the_header_counts_cases_slices_and_labeled(session):
    header = Header(session)
    assert header.cohort == "phantom · 14 cases · 240 slices in the pool"
    labeled = int(session.pool.labeled.sum())
    assert header.where == f"round 1 · {labeled} labeled ({percent(labeled, 240)})"


def test_the_primary_button_does_what_comes_next(session):
    header = Header(session)
    assert header.action == "Label these 12 (simulated, from the reference)"
    assert header.hint == "Simulates annotating."
    press(header, "next")
    assert session.calls[-1] == ("next",)


def test_the_header_says_what_runs_and_how_long_it_takes(session):
    header = Header(session)
    session.run("model", "training the U-Net", 42, 100, seconds=95)
    assert header.doing == "training the U-Net"
    assert header.fraction == pytest.approx(0.42)
    assert header.left == "about 2 min left"
    assert header.action == ""


def test_stop_cancels_and_says_so_until_the_step_ends(session):
    header = Header(session)
    session.run("model", "training the U-Net", 42, 100)
    seen = []
    header.observe(lambda change: seen.append(change["new"]), "stopping")
    press(header, "stop")
    assert ("cancel",) in session.calls
    assert seen == [True, False]
    assert header.doing == ""


# ------------------------------------------------------------ steps and log
def test_a_running_step_says_its_share_and_the_time_left(session):
    rail = StepRail(session)
    session.run("manifold", "training the VAE", 1, 4, seconds=30)
    item = next(item for item in rail.items if item["key"] == "manifold")
    assert item["words"] == "running 25 % (30 s left)"
    assert item["state"] == "running"


@pytest.mark.parametrize("state", ["not started", "ready", "stale", "failed"])
def test_a_step_says_its_state_in_words(session, state):
    rail = StepRail(session)
    session.steps = {**session.steps, "model": Step(state, "because")}
    item = next(item for item in rail.items if item["key"] == "model")
    assert (item["words"], item["detail"]) == (state, "because")


def test_the_log_is_newest_first_below_the_latest_problem(session):
    activity = Activity(session)
    session.log = ("newer", *session.log)
    session.problem = "The disk is full. Free some space."
    assert activity.lines[0] == "newer"
    assert activity.problem == "The disk is full. Free some space."


# ------------------------------------------------------------ cohort
def test_the_cohort_panel_says_which_cases_are_pool_and_test(session):
    panel = CohortPanel(session)
    assert [case["group"] for case in panel.cases].count("test") == 6
    assert [case["group"] for case in panel.cases].count("pool") == 8
    assert sum(case["labeled"] for case in panel.cases) == int(session.pool.labeled.sum())
    assert [group["name"] for group in panel.groups] == ["labeled", "pool", "test"]


def test_a_class_has_the_same_color_and_pattern_in_the_cohort_panel_and_in_the_editor():
    session = FakeAnnotating(n=240, cases=8)
    names = [f"class {value}" for value in range(1, 10)]
    session.cohort = replace(session.cohort, labels=dict(enumerate(names, 1)), regions={})
    session.labels.classes = session.cohort.classes
    drawn = {each["name"]: (each["color"], each["pattern"]) for each in MaskEditor(session).classes}
    listed = CohortPanel(session).labels
    assert [each["name"] for each in listed] == names
    for each in listed:
        assert (each["color"], each["pattern"]) == drawn[each["name"]]


def test_no_thumbnail_is_read_before_the_panel_is_seen(session):
    panel = CohortPanel(session)
    assert panel.thumbnails == b""
    press(panel, "visible")
    assert opened(panel.thumbnails).shape == (2 * 64, 16 * 64)
    assert len(np.frombuffer(panel.rows, "<i4")) == 30


def test_choosing_a_case_shows_its_slices_and_choosing_one_inspects_it(session):
    panel = CohortPanel(session)
    press(panel, "visible")
    press(panel, "case", id="case_02")
    rows = np.frombuffer(panel.rows, "<i4")
    assert {session.pool.ids[row].case for row in rows} == {"case_02"}
    press(panel, "inspect", row=int(rows[3]))
    assert session.current == rows[3]
    assert panel.current == rows[3]


def test_thumbnails_say_which_slices_are_labeled_and_suggested(session):
    panel = CohortPanel(session)
    press(panel, "visible")
    rows = np.frombuffer(panel.rows, "<i4")
    states = np.frombuffer(panel.states, np.uint8)
    assert np.array_equal(states == 1, session.pool.labeled[rows])
    free = ~session.pool.labeled[rows]
    assert np.array_equal((states == 2) & free, np.isin(rows, session.suggestions.rows) & free)


def test_a_test_case_shows_a_sentence_instead_of_slices(session):
    panel = CohortPanel(session)
    press(panel, "visible")
    press(panel, "case", id="test_01")
    assert panel.thumbnails == b""
    assert "held out for testing" in panel.note


def test_the_slice_chosen_elsewhere_opens_its_case(session):
    panel = CohortPanel(session)
    press(panel, "visible")
    row = next(i for i, name in enumerate(session.pool.ids) if name.case == "case_05")
    session.inspect(row)
    assert panel.chosen == "case_05"


# ------------------------------------------------------------ training
def test_the_training_buttons_call_the_session(session):
    panel = TrainingPanel(session)
    for button in ("manifold", "model", "stop"):
        press(panel, button)
    assert session.calls[-3:] == [("train_manifold", None), ("start_round",), ("cancel",)]


@pytest.mark.parametrize(("step", "card"), [("manifold", "vae"), ("model", "unet")])
@pytest.mark.parametrize("state", ["not started", "stale"])
def test_a_step_that_was_stopped_anywhere_can_be_resumed(session, step, card, state):
    panel = TrainingPanel(session)
    session.steps = {**session.steps, step: Step(state, "stopped", stopped=True)}
    assert getattr(panel, card)["button"] == "Resume"
    session.steps = {**session.steps, step: Step("ready")}
    assert getattr(panel, card)["button"] != "Resume"


def test_a_trained_manifold_is_not_trained_again(session):
    panel = TrainingPanel(session)
    assert not panel.vae["enabled"]
    assert "is trained" in panel.vae["why"]
    session.trained_dims = ()
    session.steps = {**session.steps, "manifold": Step("not started", "", stopped=True)}
    assert panel.vae["enabled"]
    assert panel.vae["button"] == "Resume"


def test_nothing_new_to_train_on_is_said_on_the_button(session):
    panel = TrainingPanel(session)
    assert not panel.unet["enabled"]
    assert "Nothing was labeled" in panel.unet["why"]
    session.pool = session.pool.with_labeled(session.suggestions.rows, 2)
    assert panel.unet["enabled"]


def test_reconstructions_are_computed_once_and_only_when_seen(session):
    panel = TrainingPanel(session)
    assert ("reconstructions", 6) not in session.calls
    press(panel, "visible")
    press(panel, "visible")
    assert session.calls.count(("reconstructions", 6)) == 1
    assert opened(panel.pairs).shape == (2 * 64, 6 * 64)
    assert opened(panel.walks).shape == (3 * 64, 7 * 64)


def test_reconstructions_follow_the_training(session):
    panel = TrainingPanel(session)
    session.run("manifold", "training the VAE", 3, 10)
    pair = np.zeros((4, 32, 32), np.float32), np.ones((4, 32, 32), np.float32)
    session.progress = Progress("training the VAE", 4, 10, snapshot=pair)
    assert opened(panel.pairs).shape == (2 * 32, 4 * 32)


def test_a_long_loss_curve_keeps_its_mean():
    losses = np.random.default_rng(0).random(12_345)
    curve = thinned(losses)
    assert len(curve) <= POINTS + 1
    assert curve[0, 1] == pytest.approx(losses[:25].mean())
    assert curve[-1, 0] <= len(losses)


def test_an_empty_loss_curve_has_no_points():
    assert thinned(()).shape == (0, 2)


# ------------------------------------------------------------ inspector
def test_the_inspector_computes_nothing_before_it_is_seen(session):
    Inspector(session)
    assert not [call for call in session.calls if call[0] == "inspection"]


def test_the_inspector_shows_source_and_suggestion(session):
    inspector = Inspector(session)
    press(inspector, "visible")
    assert set(inspector.pictures) == {
        "x", "gradient", "x_shifted", "decoded", "previous", "picture", "next",
    }  # fmt: skip
    assert inspector.info["rank"] == 1
    assert inspector.info["distance"] == pytest.approx(0.83)
    assert inspector.info["letters"] == ["R", "L", "A", "P"]
    assert inspector.reference
    assert inspector.prediction


def test_a_slice_that_is_not_suggested_has_no_source(session):
    inspector = Inspector(session)
    press(inspector, "visible")
    row = int(np.flatnonzero(session.pool.labeled)[5])
    session.inspect(row)
    assert "x" not in inspector.pictures
    assert inspector.info["rank"] == 0
    assert inspector.info["state"].startswith("labeled in round")


def test_the_inspector_asks_once_for_the_same_slice(session):
    inspector = Inspector(session)
    press(inspector, "visible")
    before = len(session.calls)
    session.inspect(session.current)
    press(inspector, "visible")
    assert [call[0] for call in session.calls[before:]] == ["inspect"]


def test_another_channel_is_another_picture(session):
    inspector = Inspector(session)
    press(inspector, "visible")
    assert session.calls[-1] == ("inspection", session.current, 1)  # the FLAIR
    press(inspector, "channel", index=0)
    assert session.calls[-1] == ("inspection", session.current, 0)


def test_the_arrows_walk_through_the_suggestions(session):
    inspector = Inspector(session)
    rows = session.suggestions.rows
    press(inspector, "step", by=1)
    assert session.current == rows[1]
    press(inspector, "step", by=-2)
    assert session.current == rows[-1]


def test_without_a_slice_the_inspector_says_how_to_choose_one(session):
    inspector = Inspector(session)
    press(inspector, "visible")
    session.inspect(-1)
    assert inspector.sentence == EMPTY.format(noun="slice")
    assert inspector.pictures == {}


# ------------------------------------------------------------ learning curve
def test_every_round_is_a_point_of_every_region(session):
    curves = LearningCurves(session)
    assert [line["name"] for line in curves.lines][-1] == "mean"
    labeled = [int(each.pool.labeled.sum()) for each in session.rounds]
    for line in curves.lines:
        assert [x for x, _ in line["points"]] == labeled
        assert all(0 <= y <= 1 for _, y in line["points"])


def test_a_region_that_was_not_measured_leaves_its_point_out(session):
    last = session.rounds[-1]
    missing = replace(last, metrics={**last.metrics, "enhancing": float("nan")})
    session.rounds = (*session.rounds[:-1], missing)
    lines = {line["name"]: line["points"] for line in LearningCurves(session).lines}
    assert len(lines["enhancing"]) == 1
    assert len(lines["mean"]) == 2


def test_random_is_shown_as_a_ghost(session):
    assert LearningCurves(session).ghost[0] == [36, pytest.approx(0.38)]


def test_the_validation_cases_have_their_own_line_and_say_when_it_may_be_enough(session):
    assert LearningCurves(session).validation == []
    first, last = session.rounds
    session.rounds = (
        replace(first, validation={"mean": 0.41}),
        replace(last, validation={"mean": 0.44}, stopped="The validation Dice is flat."),
    )
    curves = LearningCurves(session)
    assert curves.validation == [[36, 0.41], [48, 0.44]]
    assert curves.enough == "This may be enough. The validation Dice is flat."
    assert curves.latest.endswith(curves.enough)
    (figure,) = curves.still()
    assert figure.layout.title.text == curves.enough
    assert figure.data[-1].name == "validation cases, mean"


def test_where_somebody_drew_the_curve_can_be_drawn_against_what_it_cost(session):
    assert LearningCurves(session).costs == []
    first, last = session.rounds
    plain = {"slices": 36, "cases": 9, "pixels": 3600}
    cost = dict.fromkeys(EFFORTS, 2.5) | {"strokes": 41, "from_reference": 36}
    session.rounds = (
        replace(first, annotated=plain, validation={"mean": 0.3}),
        replace(last, annotated={**plain, "slices": 48, **cost}, validation={"mean": 0.4}),
    )
    curves = LearningCurves(session)
    names = [name for name, *_ in curves.costs]
    assert names == ["labeled", "shown", "cases", "pixels", *EFFORTS]
    press(curves, "against", cost="strokes")
    assert [x for x, _ in curves.lines[-1]["points"]] == [0, 41]
    assert [x for x, _ in curves.validation] == [0, 41]
    assert curves.costs[names.index("strokes")][1] == "strokes; labels from the reference count 0"
    (figure,) = curves.still()
    assert figure.layout.xaxis.title.text == "strokes; labels from the reference count 0"
    assert {each.name: tuple(each.x) for each in figure.data if each.visible}.keys() == {
        each.name for each in figure.data if "random" not in each.name
    }
    assert all(tuple(each.x) == (0, 41) for each in figure.data if each.visible)
    buttons = figure.layout.updatemenus[0].buttons
    assert buttons[figure.layout.updatemenus[0].active].label == "strokes"
    assert next(tuple(x) for x in buttons[0].args[0]["x"]) == (36, 48)
    assert buttons[0].args[1]["xaxis.title.text"] == "labeled slices"
    press(curves, "against", cost="beauty")
    assert curves.cost == "strokes"


def test_the_loop_buttons_call_the_session(session):
    curves = LearningCurves(session)
    assert curves.can_label
    assert not curves.can_round
    press(curves, "label")
    press(curves, "round")
    assert session.calls[-2:] == [("label_suggestions",), ("start_round",)]


def test_next_round_waits_until_something_is_labeled(session):
    curves = LearningCurves(session)
    session.pool = session.pool.with_labeled(session.suggestions.rows, 2)
    assert curves.can_round


# ------------------------------------------------------------ pictures and words
def test_a_deep_picture_keeps_sixteen_bits():
    image = np.linspace(-3, 5, 64 * 48).reshape(64, 48)
    encoded, low, high = deep_png(image)
    pixels = opened(encoded).astype(int)
    back = low + (high - low) * (pixels[..., 0] * 256 + pixels[..., 1]) / 65535
    assert np.abs(back - image).max() < 8 / 65535


def test_a_constant_picture_has_a_window():
    low, high = window(np.full((4, 4), 2.0))
    assert low < 2.0 < high
    assert grey(np.full((4, 4), np.nan), low, high).max() == 0


def test_the_channel_that_shows_a_tumor_best_comes_first():
    assert telling(("T1", "FLAIR", "T2")) == 1
    assert telling(("t1", "t1ce")) == 1
    assert telling(("MR", "CT")) == 0


def test_a_sheet_lays_pictures_out_in_rows():
    tiles = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    laid = sheet(tiles, 3)
    assert laid.shape == (4, 9)
    assert laid[0].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert laid[3].tolist() == [3] * 3 + [4] * 3 + [0] * 3


def test_shrinking_averages_blocks():
    assert shrink(np.ones((2, 200, 100), np.float32), 64).shape == (2, 50, 25)


def test_an_outline_lies_on_the_edge_of_its_pixels():
    classes = np.zeros((8, 8), np.uint8)
    classes[2:5, 3:6] = 1
    line = contours(classes, [(1,)]).reshape(-1, 2)
    assert np.isnan(line[-1]).all()
    columns, rows = line[:-1].T
    assert (columns.min(), columns.max()) == (3, 6)
    assert (rows.min(), rows.max()) == (2, 5)


def test_no_mask_has_no_outline():
    assert contours(None, [(1,)]).size == 0


def test_numbers_are_written_as_a_person_reads_them():
    assert count(1, "case") == "1 case"
    assert count(1440, "slice") == "1,440 slices"
    assert percent(36, 1440) == "2.5 %"
    assert percent(0, 0) == "0 %"
    assert [duration(s) for s in (0.2, 42, 130, 7200)] == [
        "less than 1 s", "42 s", "about 2 min", "about 2.0 h",
    ]  # fmt: skip
    assert [number(v) for v in (0, 0.83, 12345, 2e-6)] == ["0", "0.83", "12,345", "2.0e-06"]


def test_what_lies_outside_the_head_is_drawn_black():
    image = np.zeros((8, 8), np.float32)
    image[2:6, 2:6] = np.linspace(-2, 2, 16).reshape(4, 4)
    mask = outside(image)
    assert mask.sum() == 48
    assert on_black(image, mask)[0, 0] == -2


def test_a_picture_without_filling_is_left_as_it_is():
    image = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    assert not outside(image).any()
    assert np.array_equal(on_black(image, outside(image)), image)


def test_regions_keep_their_order_and_color_when_a_run_is_read_again(session):
    before = [(line["name"], line["color"]) for line in LearningCurves(session).lines]
    session.rounds = tuple(
        replace(each, metrics=dict(sorted(each.metrics.items()))) for each in session.rounds
    )
    assert [(line["name"], line["color"]) for line in LearningCurves(session).lines] == before
