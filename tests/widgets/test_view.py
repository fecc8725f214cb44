from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import Int

from tests.widgets.fake import FakeSession
from widgets.latent_map import LatentMap
from widgets.tuning_panel import TuningPanel
from widgets.view import View, packed
from workbench.errors import SettingError
from workbench.reports.palette import CIVIDIS, OKABE_ITO

WIDGETS = Path(__file__).parent.parent.parent / "widgets"


class Seen(View):
    """Counts how often it was told that the current slice changed."""

    times = Int(0)

    def __init__(self, session):
        super().__init__(session)
        self.watch("current", self._count)

    def _count(self):
        self.times += 1

    def do_refuse(self):
        raise SettingError("That is out of range.")

    def do_break(self):
        raise ZeroDivisionError


def test_a_view_is_told_now_and_at_each_change(session):
    view = Seen(session)
    session.inspect(3)
    session.inspect(4)
    assert view.times == 3


def test_a_closed_view_is_told_nothing(session):
    view = Seen(session)
    view.close()
    session.inspect(3)
    assert view.times == 1


@pytest.mark.parametrize("view", [LatentMap, TuningPanel])
def test_closing_leaves_no_observer_behind(view, session):
    before = sum(
        len(each) for names in session._trait_notifiers.values() for each in names.values()
    )
    view(session).close()
    after = sum(len(each) for names in session._trait_notifiers.values() for each in names.values())
    assert after == before


def test_a_refusal_is_shown_as_a_sentence_until_the_next_wish_is_met(session):
    view = Seen(session)
    view._receive(view, {"do": "refuse"}, [])
    assert view.message == "That is out of range."
    view._receive(view, {"do": "unknown"}, [])
    assert view.message == "That is out of range."


def test_every_message_is_answered_even_if_it_fails(session):
    view = Seen(session)
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._receive(view, {"do": "refuse", "ticket": 1}, [])
    with pytest.raises(ZeroDivisionError):
        view._receive(view, {"do": "break", "ticket": 2}, [])
    assert sent[0] == {"done": 1, "message": "That is out of range."}
    assert sent[1]["done"] == 2
    assert "unexpected" in sent[1]["message"]


def test_a_message_that_is_no_wish_is_ignored(session):
    Seen(session)._receive(None, "nonsense", [])


def test_arrays_travel_flat_and_little_endian():
    assert packed([[1, 2]], "int32") == b"\x01\0\0\0\x02\0\0\0"


def test_script_and_style_start_with_what_is_shared():
    assert str(LatentMap._esm).startswith((WIDGETS / "theme.js").read_text())
    assert str(LatentMap._css).startswith((WIDGETS / "theme.css").read_text())


def test_live_views_and_still_pictures_have_the_same_colors():
    script = (WIDGETS / "theme.js").read_text()
    for name in ("black", "orange", "yellow", "blue", "vermilion"):
        assert OKABE_ITO[name] in script
    painted = (WIDGETS / "latent_map_paint.js").read_text()
    assert all(color in painted for color in CIVIDIS)


def test_no_script_parses_text_as_markup():
    for script in WIDGETS.glob("*.js"):
        text = script.read_text()
        assert "innerHTML" not in text, script.name
        assert "insertAdjacentHTML" not in text, script.name


def test_views_can_be_made_before_anything_is_open():
    empty = FakeSession(opened=False)
    assert LatentMap(empty).empty["shown"]
    assert not TuningPanel(empty).settings["opened"]
