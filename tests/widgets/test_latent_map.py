from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from traitlets import HasTraits

from tests.widgets.fake import FakeSession
from widgets.latent_map import LatentMap
from workbench.strategies.base import Suggestions


def ints(data):
    return np.frombuffer(data, "<i4")


def floats(data):
    return np.frombuffer(data, "<f4")


@pytest.fixture
def view(session):
    return LatentMap(session)


def test_before_a_cohort_is_open_the_map_offers_the_one_button():
    session = FakeSession(opened=False)
    view = LatentMap(session)
    assert view.empty["button"] == session.next_step
    view.do_next()
    assert session.calls == [("next",)]
    assert not view.empty["shown"]


def test_before_training_the_map_shows_the_pixels_without_arrows():
    view = LatentMap(FakeSession(trained=False))
    assert view.frame["method"] == "pixels"
    assert len(view.xy) == 1440 * 8
    assert not view.sources
    assert not view.picks


def test_every_slice_is_a_point_with_its_state(view, session):
    states = np.frombuffer(view.states, np.uint8)
    assert np.array_equal(states == 1, session.pool.labeled)
    assert np.array_equal(states == 2, ~session.pool.eligible & ~session.pool.labeled)
    assert np.array_equal(floats(view.xy).reshape(-1, 2), session.maps["z1·z2"].xy)


def test_drawn_picks_are_the_picks_of_the_session(view, session):
    session.tune(settled=False, max_angle=25.0)
    assert np.array_equal(ints(view.picks), session.preview.suggestions.rows)
    assert np.array_equal(ints(view.pick_sources), session.preview.suggestions.source)
    assert not view.overlay["exact"]
    session.tune(settled=True)
    assert np.array_equal(ints(view.picks), session.suggestions.rows)
    assert view.overlay["exact"]


def test_picks_outside_their_cone_are_marked(view, session):
    session.tune(settled=True, max_angle=0.5)
    outside = [flag == "outside_cone" for flag in session.suggestions.flags]
    assert any(outside)
    assert np.array_equal(np.frombuffer(view.flags, np.uint8) == 1, outside)


def test_a_move_of_a_slider_sends_a_few_kilobytes_and_no_points(session):
    session = FakeSession(n=40_000)
    view = LatentMap(session)
    sent = []
    view.send_state = lambda key=None: sent.append(set([key] if isinstance(key, str) else key))
    session.tune(settled=False, alpha=50.0)
    names = set().union(*sent)
    assert not names & {"xy", "states", "shades", "frame", "tabs"}
    assert sum(len(getattr(view, n)) for n in names if isinstance(getattr(view, n), bytes)) < 8_000


def test_arrow_heads_are_where_the_map_places_the_shifted_latents(view, session):
    expected = session.maps["z1·z2"].place(session.preview.shift.shifted)
    np.testing.assert_allclose(floats(view.tips).reshape(-1, 2), expected, rtol=1e-5)


def test_displacements_too_small_to_see_are_drawn_as_directions(view, session):
    session.as_printed()
    assert view.overlay["fixed"]
    shift, projection = session.preview.shift, session.maps["z1·z2"]
    drawn = floats(view.tips).reshape(-1, 2) - projection.xy[shift.sources]
    true = projection.place(shift.shifted - shift.z)
    cosine = (drawn * true).sum(1) / np.linalg.norm(drawn, axis=1) / np.linalg.norm(true, axis=1)
    assert cosine.min() > 0.999


def test_a_wedge_is_drawn_only_on_the_axes_of_a_two_dimensional_latent_space():
    plane = LatentMap(FakeSession(d=2))
    assert plane.overlay["wedge"]
    assert not plane.inside
    space = LatentMap(FakeSession(d=3))
    assert not space.overlay["wedge"]
    assert np.unpackbits(np.frombuffer(space.inside, np.uint8)).any()


def test_without_an_angular_condition_nothing_is_highlighted(view, session):
    session.tune(settled=True, max_angle=180.0)
    assert not view.inside


def test_points_can_be_colored_by_state_case_and_every_value(view, session):
    assert view.color_names == ["state", "case", *session.values]
    assert not view.shades
    view.color_by = "case"
    assert np.array_equal(floats(view.shades), session.pool.case_of)
    view.color_by = "Dice"
    np.testing.assert_allclose(floats(view.shades), session.values["Dice"], rtol=1e-6)
    assert view.scale["label"] == "Dice"


def test_values_of_another_pool_color_nothing(view, session):
    view.color_by = "Dice"
    session.values = {"Dice": np.zeros(3)}
    assert view.scale["kind"] == "state"


def test_labeling_recolors_the_points_and_moves_none(view, session):
    before = view.xy
    row = int(session.suggestions.rows[0])
    session.pool = session.pool.with_labeled([row], round=2)
    assert np.frombuffer(view.states, np.uint8)[row] == 1
    assert view.xy == before


def test_maps_that_are_not_computed_yet_are_offered_and_show_their_progress(view, session):
    states = {tab["name"]: tab["state"] for tab in view.tabs}
    assert states == {
        "z1·z2": "shown", "z1·z3": "not computed", "z2·z3": "not computed",
        "PCA": "ready", "t-SNE": "not computed", "UMAP": "not computed",
    }  # fmt: skip
    view.do_show_map("t-SNE")
    tab = next(tab for tab in view.tabs if tab["name"] == "t-SNE")
    assert (tab["state"], tab["fraction"]) == ("running", 0.42)
    view.do_show_map("z1·z3")
    assert view.frame["axes"] == ["z1", "z3"]


def test_a_click_inspects_the_slice_everywhere(view, session):
    view.do_inspect(7)
    assert session.current == view.current == 7
    view.do_inspect(10**6)
    assert session.current == 7


def test_a_hovered_point_is_described_with_its_picture(view, session):
    answers = []
    view.send = lambda content, buffers=None: answers.append((content, buffers))
    view.do_describe(5)
    (content, (picture,)) = answers[0]
    assert content["lines"][0] == str(session.pool.ids[5])
    assert Image.open(io.BytesIO(picture)).size == (64, 64)
    view.do_describe(-1)
    assert len(answers) == 1


def test_a_lasso_lists_what_it_holds(view, session):
    rows = np.array([0, 1, 2, 100], dtype="<i4")
    view._receive(view, {"do": "select"}, [memoryview(rows.tobytes())])
    assert view.selected.tolist() == [0, 1, 2, 100]
    assert view.listing["count"] == 4
    assert view.listing["cases"] == [("case_01", 3), ("case_02", 1)]
    assert view.listing["rows"][3] == [100, str(session.pool.ids[100])]


def test_a_strategy_without_gradients_shows_its_picks_alone(view, session):
    session.preview = None
    session.suggestions = Suggestions(rows=np.array([4, 9]))
    assert ints(view.picks).tolist() == [4, 9]
    assert not view.sources


def test_the_still_picture_shows_the_same_picks(view, session):
    (figure,) = view.still()
    drawn = [t.customdata for t in figure.data if t.meta in ("suggestion", "outside_cone")]
    assert sorted(np.concatenate(drawn)) == sorted(session.suggestions.rows)


def test_a_still_of_nothing_says_so():
    (figure,) = LatentMap(FakeSession(opened=False)).still()
    assert figure is not None


def test_the_map_sets_no_trait_of_the_session(view, session, monkeypatch):
    monkeypatch.setattr(HasTraits, "set_trait", lambda *a: pytest.fail("set a trait"))
    view.color_by = "case"
    view.do_describe(0)
