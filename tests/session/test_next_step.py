"""What the one button offers: to simulate until somebody draws, to annotate from then on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.session.bare import bare_session
from workbench.session import predicting
from workbench.strategies.base import Suggestions


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "predict_row", lambda evidence, row: np.zeros((8, 8), np.uint8))
    session = bare_session(tmp_path / "run")
    suggest(session, 1, 5, 9)
    yield session
    session.close()


def suggest(session, *rows):
    session.suggestions = Suggestions(np.array(rows))
    session._asked = session.suggestions.rows
    session._show_queue()


def test_labels_from_the_reference_are_called_a_simulation(session):
    assert session.next_step == "Label these 3 (simulated, from the reference)"
    assert "draw in the tab Annotate" in session.next_hint
    session.edit(1)
    assert session.next_step.startswith("Label these 3"), "looking at it is not drawing"


def test_in_a_run_in_which_somebody_drew_it_leads_to_annotating_also_in_later_rounds(session):
    session.edit(1)
    drawn = session.editing.classes.copy()
    drawn[2, 2] = 1
    session.draw(drawn, tool="brush")
    assert session.next_step == "Annotate these 3"
    assert session.next_hint == ""
    session.answer("done")
    assert session.next_step == "Annotate the other 2"
    suggest(session, 2, 6, 10)  # of the next round: none of them was drawn on
    assert session.next_step.startswith("Annotate")
    session.next()
    assert session.editing.row == 2


def test_where_there_is_no_reference_it_leads_to_annotating(session):
    session.labels.available[5] = False
    session._offer_next()
    assert session.next_step == "Annotate these 3"
