"""What becomes of a slice that is opened again, answered otherwise, or drawn on elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.session.bare import a_round, bare_session
from workbench.annotation import Ledger
from workbench.annotation.costs import cost_of_round
from workbench.errors import LedgerError
from workbench.session import predicting
from workbench.strategies.base import Suggestions


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """A network that predicts class 1 in its first round, class 2 in the next one."""

    def predict(evidence, row):
        size = (6, 8, 8) if evidence.of_volumes else (8, 8)
        return np.full(size, evidence.index + 1, np.uint8)

    monkeypatch.setattr(predicting, "predict_row", predict)


def after_round(session, index: int):
    """Let a session be after a round."""
    session.round = a_round(index)
    session.round.evidence.of_volumes = session.images.of_volumes
    session._run = SimpleNamespace(rounds=[None] * (index + 1))
    session._run.rounds = tuple(session._run.rounds)
    return session


def bare(folder, *, of_volumes: bool = False, index: int = 0):
    return after_round(bare_session(folder, of_volumes), index)


@pytest.fixture
def session(tmp_path):
    session = bare(tmp_path / "run")
    yield session
    session.close()


@pytest.fixture
def volumes(tmp_path):
    session = bare(tmp_path / "volumes", of_volumes=True)
    yield session
    session.close()


def painted(session, place=(2, 2), value=2):
    drawn = session.editing.classes.copy()
    drawn[place] = value
    session.draw(drawn, tool="brush")
    return drawn


def test_a_slice_that_was_only_opened_begins_with_the_prediction_of_the_new_round(session):
    session.edit(3)
    assert (session.editing.classes == 1).all()
    session.edit(4)
    drawn = painted(session)
    after_round(session, 1)
    session.edit(3)
    assert (session.editing.classes == 2).all()
    assert not session.editing.can_undo
    session.edit(4)
    assert (session.editing.classes == drawn).all(), "what was drawn on stays"
    session.edit(3)
    painted(session, value=0)
    assert session.editing.cost.changed_pixels == 1
    session.edit(4)
    session.edit(3)
    assert session.editing.cost.changed_pixels == 1, "measured from what it began with"
    session.undo()
    assert (session.editing.classes == 2).all()
    assert not session.editing.can_undo
    session.answer("done")
    assert session.cost_so_far().effort.changed == 0


def test_a_slice_opened_before_the_first_round_begins_with_its_prediction_later(tmp_path):
    session = bare_session(tmp_path / "run", trained=False)
    session.edit(0)
    assert session.editing.started_from == "empty"
    after_round(session, 0)
    session.edit(0)
    assert session.editing.started_from == "prediction"
    painted(session, value=2)
    session.edit(1)
    session.edit(0)
    assert session.editing.started_from == "prediction"
    session.close()


def test_a_slice_that_begins_anew_with_the_same_map_can_be_undone_to_it(session):
    session.edit(3)
    session._run = SimpleNamespace(rounds=(None, None))
    session.edit(3)
    painted(session)
    session.edit(4)
    session.edit(3)
    session.undo()
    assert (session.editing.classes == 1).all()
    assert not session.editing.can_undo


@pytest.mark.parametrize("answer", [("unsure", ""), ("skipped", "unusable: motion")])
def test_a_slice_that_was_trained_on_and_is_withdrawn_is_labeled_no_longer(session, answer):
    session.edit(3)
    painted(session)
    session.answer("done")
    assert session.pool.labeled_in[3] == 1
    after_round(session, 1)
    session.edit(3)
    session.answer(*answer)
    assert session.pool.labeled_in[3] == -1
    assert "Withdrawn: " in session.log[0]
    assert str(session.pool.ids[3]) in session.log[0]
    painted(session)
    session.catch_up()
    assert session.pool.labeled_in[3] == -1
    session.answer("done")
    assert session.pool.labeled_in[3] == 2


def test_what_was_set_aside_before_it_was_labeled_from_the_reference_stays_labeled(session):
    session.edit(3)
    session.answer("unsure")
    after_round(session, 1)
    session.pool = session.pool.with_labeled([3], 2)
    session.edit(4)
    session.answer("unsure")
    assert session.pool.labeled_in[3] == 2


def test_a_slice_set_aside_and_then_labeled_from_the_reference_stays_so_until_it_is_answered(
    session,
):
    session.edit(3)
    session.answer("unsure")
    after_round(session, 1)
    session.pool = session.pool.with_labeled([3], 2)
    after_round(session, 2)
    session.edit(3)
    painted(session)
    session.catch_up()
    assert session.pool.labeled_in[3] == 2
    session.edit(3)
    session.answer("unsure")
    assert session.pool.labeled_in[3] == -1


@pytest.mark.parametrize("answer", [("unsure", ""), ("skipped", "unusable: motion")])
def test_a_volume_that_was_done_is_withdrawn_as_a_whole(volumes, answer):
    volumes.edit(1)
    volumes.wait()
    painted(volumes)
    volumes.answer("done")
    assert volumes.pool.labeled[1]
    volumes.edit(1, 3)
    volumes.answer(*answer)
    assert volumes.problem == ""
    assert not volumes.pool.labeled[1]
    assert volumes.pool.eligible[1] == (answer[0] == "unsure")
    assert [task.state for task in volumes.queue] == [answer[0]]
    volumes.answer("done")
    assert volumes.pool.labeled[1], "and may be done again"


def test_starting_one_slice_from_nothing_leaves_the_others_as_predicted(volumes):
    volumes.edit(1)
    volumes.wait()
    volumes.edit(1, 2, "empty")
    volumes.answer("done")
    drawn = volumes._writer.ledger.latest(str(volumes.pool.ids[1]), 6)
    assert drawn.reshape(6, -1).max(axis=1).tolist() == [0, 1, 0, 1, 1, 0]


def test_a_stroke_on_what_another_kernel_drew_under_the_same_name_is_refused(session, tmp_path):
    session.edit(3)
    other = bare(tmp_path / "run")
    other.edit(3)
    drawn = painted(other, (5, 5))
    painted(session, (1, 1))
    assert "drawn on elsewhere under your name anna" in session.editing.words
    assert (session.editing.classes == drawn).all()
    assert session.editing.can_undo
    both = painted(session, (1, 1))
    assert session.editing.words == ""
    assert (session.editing.classes == both).all()
    other.answer("done")
    assert "elsewhere" in other.problem
    assert (other.editing.classes == both).all()
    other.answer("done")
    assert (session.labels_now()[0].read([3])[0] == both).all()
    other.close()


def test_a_stroke_that_tells_what_it_was_drawn_upon_is_joined_with_what_was_drawn_elsewhere(
    session, tmp_path
):
    session.edit(3)
    began = session.editing.classes
    other = bare(tmp_path / "run")
    other.edit(3)
    drawn = painted(other, (5, 5))
    mine = began.copy()
    mine[1, 1] = 1 - mine[1, 1]
    session.draw(mine, before=began, tool="brush", active_seconds=2.0)
    both = drawn.copy()
    both[1, 1] = mine[1, 1]
    assert session.problem == ""
    assert "both drawings are here" in session.editing.words
    assert (session.editing.classes == both).all()
    assert session.editing.cost.strokes == 2
    session.undo()
    assert (session.editing.classes == drawn).all()
    other.close()


@pytest.fixture
def faster(session, tmp_path, monkeypatch):
    """Another kernel draws just before this one saves, after it had looked."""
    session.edit(3)
    painted(session, (2, 2))
    other = bare(tmp_path / "run")
    other.edit(3)
    append, drawn = session._writer.append, []

    def late(*entries, **told):
        if not drawn:
            drawn.append(painted(other, (5, 5)))
        return append(*entries, **told)

    monkeypatch.setattr(session._writer, "append", late)
    yield drawn
    other.close()


def test_a_stroke_is_joined_with_one_that_another_kernel_saved_at_the_same_moment(session, faster):
    upon = session.editing.classes
    mine = upon.copy()
    mine[1, 1] = 1 - mine[1, 1]
    session.draw(mine, before=upon, tool="brush", active_seconds=2.0)
    both = faster[0].copy()
    both[1, 1] = mine[1, 1]
    assert (session.editing.classes == both).all()
    assert "both drawings are here" in session.editing.words
    ledger = session._writer.ledger
    assert (ledger.entries()[-1].classes == both).all()
    assert ledger.totals()[()].strokes == 3
    assert ledger.totals()[()].active_seconds == 2.0
    assert session.editing.saved


@pytest.mark.parametrize("act", ["undo", "answer", "draw"])
def test_what_was_not_drawn_upon_anothers_stroke_of_the_same_moment_is_refused(
    session, faster, act
):
    if act == "draw":
        session.draw(np.zeros_like(session.editing.classes), tool="brush")
    else:
        getattr(session, act)(*(["done"] if act == "answer" else []))
    assert "drawn on elsewhere under your name anna" in session.editing.words
    assert (session.editing.classes == faster[0]).all()
    last = session._writer.ledger.entries()[-1]
    assert last.kind == "stroke"
    assert (last.classes == faster[0]).all()
    session.undo()
    assert session.problem == ""
    assert not (session.editing.classes == faster[0]).all()


def test_what_another_kernel_only_opened_before_the_last_round_keeps_nobody_from_drawing(
    session, tmp_path
):
    session.edit(3)
    other = bare(tmp_path / "run")
    other.edit(3, start="empty")
    other.close()
    after_round(session, 1)
    began = session.editing.classes
    mine = began.copy()
    mine[1, 1] = 1 - mine[1, 1]
    session.draw(mine, before=began, tool="brush")
    assert session.problem == ""
    assert (session.editing.classes == mine).all()
    assert session.editing.saved


def test_a_label_map_of_another_shape_is_refused_also_as_the_one_before(session):
    session.edit(3)
    began = session.editing.classes
    session.draw(began, before=began[1:])
    assert "must be uint8 of the shape" in session.problem
    assert session.editing.cost.strokes == 0


def test_a_slice_that_cannot_be_opened_leaves_the_canvas_as_it_was(session, monkeypatch):
    session.edit(3)
    with monkeypatch.context() as patch:
        patch.setattr(session, "_beginning", refusing)
        session.edit(4)
    assert "damaged" in session.problem
    assert session.editing.row == 3
    drawn = painted(session)
    assert (session.editing.classes == drawn).all()
    assert session.editing.row == 3
    assert [entry.sample for entry in session._writer.ledger.entries()] == [
        str(session.pool.ids[3])
    ] * 2


def test_what_waited_for_the_disk_is_shown_as_saved_when_it_is(session, monkeypatch):
    session.edit(3)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "extend", refusing)
        drawn = painted(session)
    assert not session.editing.saved
    session.catch_up()
    assert session.editing.saved
    assert session.editing.words == ""
    assert (session.editing.classes == drawn).all()
    assert session._unsaved == {}
    painted(session, (4, 4))
    assert session.problem == ""


def test_closing_saves_what_waited(session, monkeypatch):
    session.edit(3)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "extend", refusing)
        drawn = painted(session)
    session.close()
    with Ledger(session.folder / "annotations.sqlite") as ledger:
        history = ledger.history(str(session.pool.ids[3]), annotator="anna")
    assert (history.classes == drawn).all()


def test_the_slice_that_was_drawn_last_is_opened_again_unless_it_is_answered(session, tmp_path):
    session.edit(3)
    drawn = painted(session)
    session.edit(4)
    again = bare(tmp_path / "run")
    again._go_back_to_canvas()
    assert again.editing.row == 3
    assert (again.editing.classes == drawn).all()
    again.answer("done")
    again.close()
    later = bare(tmp_path / "run")
    later._go_back_to_canvas()
    assert later.editing is None
    later.close()


def test_a_kernel_is_told_of_a_round_of_another_one_before_it_trains(session, tmp_path):
    session.edit(3)
    for index in range(2):
        (tmp_path / "run" / "rounds" / f"{index:03d}").mkdir(parents=True)
        (tmp_path / "run" / "rounds" / f"{index:03d}" / "round.json").write_text("{}")
    session.catch_up()
    assert "Another kernel has trained round 1" in session.problem
    painted(session)
    assert "Another kernel has trained round 1" in session.editing.words


def test_a_kernel_that_is_behind_books_for_the_round_that_comes_next(session, tmp_path):
    session.edit(3)
    painted(session)
    for index in range(2):
        (tmp_path / "run" / "rounds" / f"{index:03d}").mkdir(parents=True)
        (tmp_path / "run" / "rounds" / f"{index:03d}" / "round.json").write_text("{}")
    painted(session, (4, 4))
    session.answer("done")
    entries = session._writer.ledger.entries()
    assert [(each.kind, each.round) for each in entries] == [
        ("opened", 1),
        ("stroke", 1),
        ("stroke", 2),
        ("done", 2),
    ]
    assert "for round 2" in session.editing.words
    assert session.cost_so_far().totals.strokes == 1
    ahead = bare(tmp_path / "run", index=1)
    assert ahead.cost_so_far().effort.changed == 2, "what was answered is for its round"
    ahead.close()


def test_an_answer_given_while_a_round_trains_does_not_change_the_cost_of_that_round(session):
    session.edit(3)
    painted(session)
    session.answer("done")
    ledger, spacing = session._writer.ledger, {str(session.pool.ids[3]): (1.0, 1.0)}
    number = ledger.last
    after_round(session, 1)
    session.answer("done")
    assert cost_of_round(ledger, 1, 3, spacing).effort.changed == 0
    assert cost_of_round(ledger, 1, 3, spacing, until=number).effort.changed == 1


def refusing(*args):
    raise LedgerError("It is damaged, or the disk is full.")


def test_the_queue_names_who_drew_or_answered_and_not_who_only_opened(session):
    session._ask(Suggestions(np.array([1, 2])))
    session.edit(1)
    session.edit(2)
    session.catch_up()
    assert [(task.state, task.annotators) for task in session.queue] == [("suggested", ())] * 2
    painted(session)
    assert [task.annotators for task in session.queue] == [(), ("anna",)]
