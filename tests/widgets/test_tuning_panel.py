from __future__ import annotations

import pytest

from tests.widgets.fake import FakeSession
from widgets.latent_map import LatentMap
from widgets.tuning_panel import TuningPanel
from workbench.strategies.baselines import Random


@pytest.fixture
def panel(session):
    return TuningPanel(session)


def test_the_sliders_show_the_strategy_of_the_session(panel, session):
    session.tune(settled=True, alpha=20.0, max_angle=35.0)
    assert panel.settings["alpha"] == 20.0
    assert panel.settings["max_angle"] == 35.0
    assert panel.settings["scale"] == "l2"


def test_a_calibrated_step_shows_the_alpha_that_it_led_to(panel, session):
    assert session.strategy.alpha is None
    assert panel.settings["alpha"] == session.preview.shift.alpha


def test_a_moving_slider_asks_for_a_preview_and_a_resting_one_for_the_truth(panel, session):
    settled = session.suggestions
    panel._receive(panel, {"do": "tune", "ticket": 1, "settled": False, "alpha": 300.0}, [])
    assert session.suggestions is settled
    assert not panel.counts["exact"]
    panel._receive(panel, {"do": "tune", "ticket": 2, "settled": True, "alpha": 300.0}, [])
    assert session.suggestions is not settled
    assert panel.counts["exact"]


def test_only_settings_of_the_panel_reach_the_strategy(panel, session):
    panel.do_tune(settled=True, max_angle=10.0, sources="all")
    assert session.strategy.sources == "last"


def test_an_impossible_angle_is_refused_with_a_sentence(panel, session):
    panel._receive(panel, {"do": "tune", "settled": True, "max_angle": 200.0}, [])
    assert "180" in panel.message
    assert session.strategy.max_angle == 60.0


def test_the_count_of_changed_picks_outlives_the_rest(panel, session):
    before = set(session.suggestions.rows.tolist())
    session.tune(settled=False, alpha=400.0)
    session.tune(settled=True, alpha=400.0)
    new = len(set(session.suggestions.rows.tolist()) - before)
    assert new > 0
    assert panel.counts["changed"] == new


def test_the_counts_are_those_of_the_preview(panel, session):
    session.tune(settled=False, max_angle=1.0)
    assert panel.counts["outside"] == session.preview.outside_cone > 0
    assert panel.counts["cases"] == session.preview.cases
    assert panel.counts["displacement"] == session.preview.displacement
    assert panel.counts["sources"] == len(session.preview.shift.sources)  # of the median


def test_paper_and_calibrate_are_methods_of_the_session(panel, session):
    panel.do_as_printed()
    assert (panel.settings["scale"], panel.settings["alpha"]) == ("raw", 1e-3)
    assert panel.counts["displacement"] < 0.01
    panel.do_calibrate()
    assert ("calibrate",) in session.calls


def test_the_scale_of_the_gradient_sets_the_range_of_alpha(panel, session):
    session.tune(settled=True, scale="sign", alpha=None)
    low, high = panel.settings["decades"]
    assert low < 0.2 < high  # 1.5 is two units (facts.md): log10 is 0.18


def test_untrained_dimensions_say_what_they_cost(panel):
    dims = {each["d"]: each for each in panel.dims}
    assert list(dims) == [2, 3, 5, 10, 50]
    assert dims[3]["trained"]
    assert dims[3]["chosen"]
    assert dims[10]["cost"] == "trains in about 2 min"


def test_choosing_a_dimension_and_a_budget_asks_the_session(panel, session):
    panel.do_set_z(2)
    panel.do_set_budget(20)
    assert session.z_dim == 2
    assert panel.settings["budget"] == 20
    assert len(session.suggestions.rows) == 20


def test_before_suggestions_the_sliders_say_when_they_will_work():
    panel = TuningPanel(FakeSession(trained=False))
    assert not panel.settings["guided"]
    assert "first suggestions" in panel.settings["why"]


def test_a_strategy_without_a_cone_says_that_there_is_nothing_to_tune(panel, session):
    session.strategy = Random()
    assert not panel.settings["guided"]
    assert "no cone" in panel.settings["why"]


def test_map_and_panel_watch_the_same_session_without_knowing_each_other(panel, session):
    view = LatentMap(session)
    panel.do_tune(settled=True, alpha=None, displacement=4.0)
    assert view.overlay["displacement"] == panel.counts["displacement"]


def test_the_still_table_names_every_setting(panel):
    (figure,) = panel.still()
    assert "half-angle θ" in figure.data[0].cells["values"][0]


def test_a_calibrated_step_stays_put_while_the_angle_moves_and_is_calibrated_again(panel, session):
    alpha = session.preview.shift.alpha
    panel.do_tune(settled=False, max_angle=30.0)
    panel.do_tune(settled=False, max_angle=20.0)
    assert session.strategy.alpha == alpha
    panel.do_tune(settled=True, max_angle=20.0)
    assert session.strategy.alpha is None
    panel.do_tune(settled=True, alpha=5.0)
    panel.do_tune(settled=True, max_angle=25.0)
    assert session.strategy.alpha == 5.0
