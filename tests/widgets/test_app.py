"""The application: all views of one session, adopted when its cell runs again."""

from __future__ import annotations

import gc
import inspect

import plotly.graph_objects as go
import pytest

import widgets.app
from tests.widgets.fake_app import FakeApp
from widgets import Workbench
from widgets.view import View
from workbench.errors import SettingError


class Opened(FakeApp):
    """A fake session that is made the way the real one is."""

    def __init__(self, source, folder=None, **settings):
        super().__init__(rounds=0, opened=False)
        self.made_with = (source, folder, settings)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Each test starts as a kernel does: nothing is shown, no session runs."""
    monkeypatch.setattr(widgets.app, "_shown", [])
    monkeypatch.setattr(widgets.app, "_sessions", {})
    monkeypatch.setattr(widgets.app, "Session", Opened)


def test_a_new_application_opens_its_cohort_at_once():
    app = Workbench("phantom", seed=3)
    assert app.session.made_with == ("phantom", None, {"seed": 3})
    assert app.session.calls == [("open",)]


def test_running_the_cell_twice_adopts_the_session():
    first = Workbench("phantom")
    second = Workbench("phantom")
    assert second.session is first.session
    assert widgets.app._shown == [second]


def test_nothing_that_is_left_of_the_first_display_hinders_the_reload_of_a_page():
    def held(widget):
        children = getattr(widget, "children", ())
        return [widget, *(each for child in children for each in held(child))]

    first = Workbench("phantom")
    parts = held(first)
    Workbench("phantom")
    assert len(parts) > 15
    for part in parts:  # of a part that is there Jupyter asks the state, with all that it holds
        assert part.comm is None, type(part)


def test_the_first_display_stops_watching_when_the_second_adopts_its_session():
    session = Workbench("phantom").session
    second = Workbench("phantom")
    watching = len(session._trait_notifiers["busy"]["change"])
    second.close()
    assert len(session._trait_notifiers["busy"]["change"]) == 0
    assert watching > 0


def test_other_settings_close_the_earlier_session():
    first = Workbench("phantom", seed=1)
    second = Workbench("phantom", seed=2)
    assert second.session is not first.session
    assert ("close",) in first.session.calls


def test_two_spellings_of_a_folder_are_one_session(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = Workbench(tmp_path / "cohort")
    assert Workbench("cohort").session is first.session


def test_a_session_that_failed_to_open_is_not_opened_again_by_itself():
    app = Workbench("phantom")
    app.session.problem = "No known layout matches."
    before = len(app.session.calls)
    Workbench("phantom")
    assert app.session.calls[before:] == []


def test_a_session_can_be_handed_in():
    session = FakeApp(n=240, cases=8, rounds=1)
    app = Workbench(session=session)
    assert app.session is session
    assert ("open",) not in session.calls


def test_closing_the_application_leaves_the_session_alone():
    session = FakeApp(n=240, cases=8, rounds=1)
    app = Workbench(session=session)
    app.close()
    assert ("close",) not in session.calls
    for name in session.trait_names():
        assert not session._trait_notifiers.get(name, {}).get("change", [])


def test_still_pictures_show_the_whole_application():
    app = Workbench(session=FakeApp(n=240, cases=8, rounds=2))
    figures = app.still()
    assert len(figures) >= 5
    assert all(isinstance(figure, go.Figure) for figure in figures)
    assert not any(isinstance(figure, go.FigureWidget) for figure in figures)


def test_still_pictures_of_an_empty_application_say_what_comes():
    assert len(Workbench("phantom").still()) >= 1


def test_a_run_that_can_only_be_looked_at_shows_its_curve_and_says_why_nothing_is_trained():
    session = FakeApp(n=240, cases=8, rounds=2)
    session.round, session.preview, session.latent = None, None, None
    why = session.only_look = "The network of its last round is not here."
    app = Workbench(session=session)
    assert app.header.where.startswith("round 1 · ")
    assert [len(line["points"]) for line in app.curves.lines] == [2, 2, 2, 2]
    assert (app.curves.can_round, app.curves.can_label) == (False, False)
    assert (app.training.unet["enabled"], app.training.unet["why"]) == (False, why)
    assert (app.training.vae["enabled"], app.training.vae["why"]) == (False, why)
    assert app.training.teach.endswith(why)
    assert app.tuning.settings["why"] == why
    assert app.still()


def collected_silently(make, error, monkeypatch):
    """Let something fail to be made, and collect what is left of it."""
    seen = []
    monkeypatch.setattr("sys.unraisablehook", seen.append)
    with pytest.raises(error):
        make()
    gc.collect()
    assert [str(each.exc_value) for each in seen] == []


def test_an_application_without_a_session_is_collected_silently(monkeypatch):
    def refuse(*given, **settings):
        raise SettingError("There is no setting 'budgett'.")

    monkeypatch.setattr(widgets.app, "Session", refuse)
    collected_silently(lambda: Workbench("phantom", budgett=3), SettingError, monkeypatch)


def test_an_application_that_failed_halfway_closes_the_views_it_had(monkeypatch):
    def fail(session):
        raise ZeroDivisionError

    monkeypatch.setattr(widgets.app, "Inspector", fail)
    session = FakeApp(n=240, cases=8, rounds=1)
    collected_silently(lambda: Workbench(session=session), ZeroDivisionError, monkeypatch)
    for name in session.trait_names():
        assert not session._trait_notifiers.get(name, {}).get("change", [])


VIEWS = [each for each in vars(widgets.app).values() if inspect.isclass(each)]


@pytest.mark.parametrize("view", [each for each in VIEWS if issubclass(each, View)])
def test_a_view_without_a_session_is_collected_silently(view, monkeypatch):
    collected_silently(view, TypeError, monkeypatch)
    if view is not View:
        collected_silently(lambda: view(object()), AttributeError, monkeypatch)
