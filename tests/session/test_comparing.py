"""What others made of the slice on the canvas is told, compared, and marked in the queue."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.session.bare import a_round, bare_session
from workbench.annotation import Ledger
from workbench.errors import LedgerError
from workbench.session import predicting


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """A network that predicts class 1 everywhere."""
    monkeypatch.setattr(
        predicting,
        "predict_row",
        lambda evidence, row: np.ones((6, 8, 8) if evidence.of_volumes else (8, 8), np.uint8),
    )


def a_kernel(folder, annotator, of_volumes=False):
    session = bare_session(folder, of_volumes)
    session.round = a_round(0)
    session.round.evidence.of_volumes = of_volumes
    session._run = SimpleNamespace(rounds=(None,))
    session.annotator = annotator
    return session


@pytest.fixture
def two(tmp_path):
    sessions = [a_kernel(tmp_path / "run", name) for name in ("anna", "Ben")]
    yield sessions
    for each in sessions:
        each.close()


@pytest.fixture
def two_on_volumes(tmp_path):
    sessions = [a_kernel(tmp_path / "run", name, True) for name in ("anna", "Ben")]
    yield sessions
    for each in sessions:
        each.close()


def drawn(session, *places, value=2):
    for place in places:
        classes = session.editing.classes.copy()
        classes[place] = value
        session.draw(classes, tool="brush")


def marked(session):
    return {task.row: task.differs for task in session.queue}


def test_it_is_told_what_the_other_answered_and_how_far_it_differs_stroke_by_stroke(two):
    anna, ben = two
    ben.edit(3)
    drawn(ben, (0, 0), (0, 1))
    ben.answer("done")
    anna.edit(3, start="prediction")
    assert anna.editing.others == "Ben answered done: 2 pixels differ."
    drawn(anna, (0, 0))
    assert anna.editing.others == "Ben answered done: 1 pixel differs."
    drawn(anna, (0, 1))
    assert anna.editing.others == "Ben answered done: the same."
    anna.undo()
    assert anna.editing.others == "Ben answered done: 1 pixel differs."
    assert anna.editing.words == ""


def test_who_only_opened_a_slice_is_not_mentioned(two):
    anna, ben = two
    ben.edit(3)
    anna.edit(3)
    assert anna.editing.others == ""


def test_news_of_the_ledger_reach_an_open_canvas(two):
    anna, ben = two
    anna.edit(3)
    ben.edit(3)
    drawn(ben, (0, 0))
    assert anna.editing.others == ""
    anna.catch_up()
    assert anna.editing.others == "Ben has begun to draw on it."
    ben.answer("unsure")
    anna.catch_up()
    assert anna.editing.others == "Ben answered unsure: 1 pixel differs."
    ben.answer("skipped", "unusable: motion")
    anna.catch_up()
    assert anna.editing.others == "Ben answered skipped."
    ben.answer("done")
    drawn(ben, (5, 5))
    anna.catch_up()
    said = "Ben answered done: 1 pixel differs, and has drawn on it since."
    assert anna.editing.others == said


def test_a_stroke_reads_no_label_map_of_others(two, monkeypatch):
    anna, ben = two
    ben.edit(3)
    drawn(ben, (0, 0))
    ben.answer("done")
    anna.edit(3, start="empty")
    read = []
    monkeypatch.setattr(Ledger, "read", lambda ledger, number: read.append(number))
    drawn(anna, (1, 1), (2, 2))
    anna.catch_up()  # the news are anna's own strokes
    drawn(anna, (3, 3))
    assert read == []
    assert anna.editing.others == "Ben answered done: 64 pixels differ."


def test_another_name_is_compared_with_the_others_of_that_name(two):
    anna, ben = two
    ben.edit(3)
    drawn(ben, (0, 0))
    ben.answer("done")
    anna.edit(3)
    drawn(anna, (1, 1))
    anna.annotator = "Ben"
    assert anna.editing.others == "anna has begun to draw on it."


def test_slices_of_a_volume_are_compared_one_by_one(two_on_volumes):
    anna, ben = two_on_volumes
    ben.edit(1, 2)
    ben.wait()
    drawn(ben, (0, 0))
    anna.edit(1, 3)
    anna.wait()
    assert anna.editing.others == "Ben worked on other slices of it."
    ben.answer("done")
    anna.catch_up()
    assert anna.editing.others == "Ben answered done without opening it: the same."
    anna.edit(1, 2, "prediction")
    assert anna.editing.others == "Ben answered done: 1 pixel differs."
    drawn(anna, (1, 1))
    anna.answer("done")
    assert marked(anna) == {1: True}


def test_an_awaited_slice_is_compared_with_nothing(two_on_volumes):
    anna, ben = two_on_volumes
    ben.edit(1, 2, "empty")
    drawn(ben, (0, 0))
    ben.answer("unsure")
    anna.edit(1, 2)
    assert anna.editing.awaited
    assert anna.editing.others == "Ben answered unsure."
    anna.wait()
    assert anna.editing.others == "Ben answered unsure: 64 pixels differ."


def test_answers_that_differ_are_marked_in_the_queue_and_those_that_agree_are_not(two):
    anna, ben = two
    for row, mine in ((3, (0, 0)), (4, (1, 1))):
        ben.edit(row)
        drawn(ben, (0, 0))
        ben.answer("done")
        anna.edit(row, start="prediction")
        drawn(anna, mine)
        assert not any(marked(anna).values()), "not answered yet"
        anna.answer("done")
    assert marked(anna) == {3: False, 4: True}
    ben.catch_up()
    assert marked(ben) == marked(anna)
    anna.edit(3)
    anna.answer("unsure")
    assert marked(anna)[3], "one learns from it and one would not"
    labels, _ = anna.labels_now()
    assert labels.read([4])[0][1, 1] == 2, "training uses the last answer done"


def test_a_damaged_map_of_somebody_else_keeps_nobody_from_drawing(two, monkeypatch):
    anna, ben = two
    ben.edit(3)
    drawn(ben, (0, 0))
    ben.answer("done")
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "read", refusing)
        anna.edit(3, start="empty")
        drawn(anna, (1, 1))
    assert anna.editing.others == "Ben answered done."
    assert anna.editing.saved
    assert any("damaged" in sentence for sentence in anna.log)


def refusing(*args):
    raise LedgerError("The ledger is damaged.")
