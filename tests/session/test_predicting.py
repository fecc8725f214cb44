"""Volumes are predicted in the background: nothing waits, and nothing that is drawn is lost."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from tests.session.bare import a_round, bare_session
from workbench.annotation import Ledger
from workbench.errors import LedgerError, RunError, WorkbenchError
from workbench.session import predicting


class Slow:
    """A network over volumes that takes until it is let go; it predicts row + 1, never twice."""

    def __init__(self):
        self.go = threading.Event()
        self.asked: list[int] = []
        self.breaks = False

    def __call__(self, evidence, row):
        self.asked.append(row)
        assert self.go.wait(20)
        if self.breaks:
            raise RunError("The graphics card has no memory left.")
        return np.full((6, 8, 8), (row + evidence.index) % 2 + 1, np.uint8)


@pytest.fixture
def slow(monkeypatch):
    network = Slow()
    monkeypatch.setattr(predicting, "predict_row", network)
    yield network
    network.go.set()


@pytest.fixture
def session(tmp_path, slow):
    session = bare_session(tmp_path / "run", of_volumes=True)
    yield session
    slow.go.set()
    session.close()


def entries(session, row):
    if session._writer.ledger is None:
        return []
    return [(e.kind, e.depth) for e in session._writer.ledger.entries(str(session.pool.ids[row]))]


def painted(session, value):
    drawn = session.editing.classes.copy()
    drawn[2, 2] = value
    session.draw(drawn, tool="brush")
    return drawn


def test_opening_a_volume_waits_for_no_network_and_the_prediction_follows(session, slow):
    begun = time.monotonic()
    session.edit(1)
    assert session.known(1, 4)[1] == "predicting"
    assert time.monotonic() - begun < 5
    assert "predicting this volume" in session.editing.awaited
    assert session.editing.depth == 2
    session.draw(np.ones((8, 8), np.uint8), tool="brush")
    assert "start from empty" in session.problem
    session.answer("done")
    session.undo()
    assert entries(session, 1) == []
    session.problem, session._failure = "", None
    slow.go.set()
    session.wait()
    assert session.editing.awaited == ""
    assert session.editing.started_from == "prediction"
    assert (session.editing.classes == 2).all()
    assert entries(session, 1) == [("opened", 2)]
    assert session.known(1, 4)[1] == "prediction"
    session.edit(1, 3)
    assert (session.editing.classes == 2).all()
    assert slow.asked == [1], "it was asked once for all slices"
    assert session.predictions == 1


@pytest.mark.parametrize(
    "answer", [("unsure", ""), ("skipped", "unusable: motion"), ("skipped", "nothing to see")]
)
def test_a_volume_is_put_aside_while_its_prediction_is_awaited(session, slow, answer):
    session.edit(1)
    session.answer(*answer, active_seconds=2.0)
    assert session.problem == ""
    assert [(task.row, task.state, task.note) for task in session.queue] == [(1, *answer)]
    assert session.pool.eligible[1] == (not answer[1].startswith("unusable"))
    assert entries(session, 1) == [(answer[0], 2)]
    (entry,) = session._writer.ledger.entries()
    assert entry.classes is None, "nothing was seen"
    assert session.editing.cost.active_seconds == 2.0
    session.answer("done")
    assert "predicting this volume" in session.problem
    session.problem, session._failure = "", None
    session.edit(1, 2, "empty")
    drawn = painted(session, 1)
    session.edit(0)
    session.edit(1, 2)
    assert (session.editing.classes == drawn).all()
    assert session.editing.started_from == "empty"
    assert session.queue[0].state == "in progress"


def test_a_volume_that_was_put_aside_unseen_begins_with_its_prediction(session, slow):
    session.edit(1)
    session.answer("unsure")
    slow.go.set()
    session.wait()
    assert (session.editing.classes == 2).all()
    assert not session.editing.can_undo
    painted(session, 1)
    session.undo()
    assert (session.editing.classes == 2).all()
    session.answer("done")
    assert session.pool.labeled[1]


def test_what_was_drawn_is_kept_where_starting_over_is_awaited_and_put_aside(session, slow):
    session.edit(1, 2, "empty")
    drawn = painted(session, 1)
    session.edit(1, 2, "prediction")
    session.answer("unsure")
    assert session.queue[0].state == "unsure"
    assert (session.known(1, 2)[0] == drawn).all()
    session.edit(1, 2)
    assert (session.editing.classes == drawn).all()
    assert session.editing.can_undo


def test_an_unseen_answer_that_could_not_be_saved_waits_and_is_no_drawing(
    session, slow, monkeypatch
):
    session.edit(1)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "extend", refusing)
        session.answer("unsure")
    assert "disk is full" in session.editing.words
    assert not session.editing.saved
    session.edit(0)
    session.edit(1)
    assert session.editing.awaited, "still to be predicted"
    assert session.editing.saved
    assert entries(session, 1) == [("unsure", 2)]


def refusing(*args):
    raise LedgerError("The disk is full. Free some space, then save again.")


def test_what_was_begun_from_nothing_meanwhile_stays_as_it_was_drawn(session, slow):
    session.edit(1)
    session.edit(1, session.editing.depth, "empty")
    assert session.editing.awaited == ""
    drawn = painted(session, 1)
    slow.go.set()
    session.wait()
    assert (session.editing.classes == drawn).all()
    assert session.editing.started_from == "empty"
    assert entries(session, 1) == [("opened", 2), ("stroke", 2)]


def test_another_choice_meanwhile_stays_open(session, slow):
    session.edit(0)
    session.edit(1)
    session.inspect(2)
    slow.go.set()
    session.wait()
    assert session.editing.row == 1
    assert session.editing.awaited == ""
    assert session.current == 2, "what is inspected does not change by itself"
    assert entries(session, 0) == []
    assert slow.asked == [0, 1]


def test_a_volume_that_is_only_looked_at_does_not_take_the_place_of_one_that_waits(session, slow):
    session.edit(0)
    assert session.known(2)[1] == "predicting"
    slow.go.set()
    session.wait()
    assert session.editing.awaited == ""
    assert session.known(2)[1] == "prediction"


def test_starting_over_from_the_prediction_waits_for_it_and_can_be_undone(session, slow):
    session.edit(1, 2, "empty")
    drawn = painted(session, 1)
    session.edit(1, 2, "prediction")
    assert session.editing.awaited
    session.edit(1, 2)
    assert (session.editing.classes == drawn).all(), "what was drawn is still there"
    session.edit(1, 2, "prediction")
    slow.go.set()
    session.wait()
    assert (session.editing.classes == 2).all()
    session.undo()
    assert (session.editing.classes == drawn).all()


def test_a_prediction_of_an_earlier_model_is_not_shown(session, slow):
    session.edit(1)
    session.round = a_round(1)
    slow.go.set()
    session.wait()
    assert slow.asked == [1, 1]
    assert (session.editing.classes == 1).all()


def test_a_network_that_fails_says_so_and_the_volume_can_be_drawn_from_nothing(session, slow):
    slow.breaks = True
    slow.go.set()
    session.edit(1)
    with pytest.raises(WorkbenchError, match="no memory"):
        session.wait()
    assert "no memory" in session.editing.awaited
    assert session.known(1)[1] == ""
    assert slow.asked == [1], "looking does not try again and again"
    session.edit(1, start="empty")
    assert session.editing.awaited == ""
    slow.breaks = False
    session.edit(1, 3)
    session.wait()
    assert (session.editing.classes == 2).all(), "asked for by a person it is tried again"


def test_done_waits_for_the_prediction_of_slices_that_were_not_opened(tmp_path, session, slow):
    slow.go.set()
    session.edit(1)
    session.wait()
    painted(session, 1)
    session.close()

    slow.go.clear()
    again = bare_session(tmp_path / "run", of_volumes=True)
    again.edit(1)
    assert again.editing.awaited == "", "what was drawn is there at once"
    again.answer("done")
    assert "still predicting" in again.problem
    assert not again.pool.labeled[1]
    again._failure = None
    slow.go.set()
    again.wait()
    again.answer("done")
    assert again.pool.labeled[1]
    classes = again.labels_now()[0].read([1])[0]
    assert (classes[3] == 2).all()
    assert classes[2, 2, 2] == 1
    assert not classes[[0, 5]].any()
    again.close()


def test_a_slice_is_predicted_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(
        predicting, "predict_row", lambda evidence, row: np.full((8, 8), 2, np.uint8)
    )
    session = bare_session(tmp_path / "run")
    session.edit(5)
    assert session.editing.awaited == ""
    assert (session.editing.classes == 2).all()
    session.close()


def test_a_run_that_is_opened_again_predicts_before_its_manifold_is_there(tmp_path, monkeypatch):
    loaded = []

    def load(run, index, data, compute, pool):
        loaded.append((run.folder, index))
        return a_round(index).evidence

    monkeypatch.setattr(predicting, "_load", load)
    monkeypatch.setattr(
        predicting,
        "predict_row",
        lambda evidence, row: np.full((8, 8), 1 + evidence.index, np.uint8),
    )
    session = bare_session(tmp_path / "run", trained=False)
    assert session.known(5)[1] == "", "there is no network before the first round"
    session._run = SimpleNamespace(folder=tmp_path, rounds=("0", "1"))
    session._has_network = True
    session._compute = object()
    assert session.known(5)[1] == "predicting"
    session.wait()
    assert (session.known(5)[0] == 2).all()
    assert session.known(6)[1] == "prediction", "once it is loaded a slice is predicted at once"
    session.edit(7)
    assert session.editing.started_from == "prediction"
    assert loaded == [(tmp_path, 1)]
    session.round = a_round(1)  # the run is restored
    assert session.known(5)[1] == "prediction"
    session.close()


def test_what_a_slice_has_cost_is_the_same_stroke_by_stroke_as_added_up_anew(session, slow):
    session.edit(1, 2, "empty")
    for value in (1, 2, 1):
        session.draw(np.full((8, 8), value, np.uint8), active_seconds=1.5, contour_mm=4.0)
    session.undo()
    session.edit(1, 3, "empty")
    session.draw(np.full((8, 8), 1, np.uint8), active_seconds=1.5, contour_mm=4.0)
    shown = session.editing.cost
    assert (shown.strokes, shown.active_seconds, shown.contour_mm) == (4, 6.0, 16.0)
    assert (shown.slices_opened, shown.changed_pixels) == (2, 64)
    session.edit(1, 3)
    assert session.editing.cost == shown
