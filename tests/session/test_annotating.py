"""Drawing in a session: nothing is lost, and the next round trains on what was drawn."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.session.test_session import a_session
from workbench.annotation import Ledger
from workbench.annotation.effort import stroke_mm
from workbench.errors import LedgerError, WorkbenchError
from workbench.session import Session

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def first_round(tmp_path_factory):
    """The folder of a run with its first suggestions, which tests copy."""
    folder = tmp_path_factory.mktemp("annotating") / "run"
    session = a_session(folder)
    session.open()
    session.wait()
    session.next()
    session.wait()
    session.close()
    return folder


@pytest.fixture
def folder(first_round, tmp_path):
    return Path(shutil.copytree(first_round, tmp_path / "run"))


def opened(folder: Path, annotator: str = "anna") -> Session:
    session = a_session(folder)
    session.annotator = annotator
    session.open()
    session.wait()
    return session


@pytest.fixture
def session(folder):
    session = opened(folder)
    yield session
    session.close()


def paint(session: Session, *places: tuple[int, int], value: int = 1) -> None:
    """Draw a stroke for each of some pixels."""
    for place in places:
        classes = session.editing.classes.copy()
        classes[place] = value
        session.draw(classes, tool="brush", active_seconds=2.0)


def states(session: Session) -> list[str]:
    return [task.state for task in session.queue]


def test_a_suggestion_opens_with_the_prediction_and_is_corrected(session):
    row = int(session.suggestions.rows[0])
    assert states(session) == ["suggested"] * 3
    session.edit(row)
    assert session.editing.started_from == "prediction"
    assert session.current == row
    before = session.editing.classes
    assert (before == session.inspection(row).prediction).all()
    paint(session, (3, 4), (3, 5))
    assert session.editing.cost.strokes == 2
    assert session.editing.cost.active_seconds == 4.0
    with Ledger(session.folder / "annotations.sqlite") as ledger:
        maps = [entry.classes for entry in ledger.entries()]
    assert len(maps) == 3  # as it was opened, and two strokes
    spacing = session.images.spacing[session.pool.case_of[row]][1:]
    measured = sum(stroke_mm(a, b, spacing) for a, b in itertools.pairwise(maps))
    assert session.editing.cost.contour_mm == pytest.approx(measured)
    assert session.editing.cost.changed_pixels == int((session.editing.classes != before).sum())
    assert session.queue[0].state == "in progress"
    assert session.queue[0].annotators == ("anna",)
    session.answer("done")
    assert states(session) == ["done", "suggested", "suggested"]
    assert session.pool.labeled_in[row] == 1
    assert row not in session.suggestions.rows
    assert session.steps["annotate"].detail == "1 of 3 slices done"
    assert session.next_step == "Annotate the other 2"
    session.next()
    assert session.editing.row == session.queue[1].row
    session.turn(1)
    session.turn(1)
    assert session.editing.row == session.queue[1].row, "round the open ones"
    session.turn(-1)
    assert session.editing.row == row, "back to what is done"


def test_a_restart_restores_the_drawing_its_undo_its_cost_and_the_queue(session, folder):
    row = int(session.suggestions.rows[1])
    asked = session.suggestions.rows.tolist()
    session.edit(row, start="empty")
    paint(session, (1, 1), (2, 2), (3, 3), (4, 4))
    session.undo()
    session.undo()
    drawn, cost = session.editing.classes, session.editing.cost
    session.edit(asked[0])
    paint(session, (5, 5))
    session.answer("done")
    left, queue = session.suggestions.rows.tolist(), states(session)
    session.close()

    again = opened(folder)
    assert again.suggestions.rows.tolist() == left
    assert states(again) == queue
    assert [task.row for task in again.queue] == asked
    assert again.pool.labeled_in[asked[0]] == 1
    again.edit(row)
    assert (again.editing.classes == drawn).all()
    assert again.editing.started_from == "empty"
    assert again.editing.cost == cost
    assert again.editing.can_redo
    again.redo()
    again.redo()
    assert not again.editing.can_redo
    assert np.argwhere(again.editing.classes).tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    for _ in range(4):
        again.undo()
    assert not again.editing.can_undo
    assert not again.editing.classes.any()
    again.close()


def test_what_was_just_drawn_is_a_neighbor_of_the_next_slice(session):
    row = 3
    assert session.pool.ids[row].case == session.pool.ids[row + 1].case
    session.edit(row)
    paint(session, (3, 3))
    session.edit(row + 1)
    session.edit(row)  # it is there already: nothing is opened
    paint(session, (4, 4))
    drawn = session.editing.classes
    session.edit(row + 1)
    assert session.canvas().before.distance == 1
    assert (session.canvas().before.classes == drawn).all()
    assert session.known(row)[1] == "annotation"


def test_starting_over_can_be_undone(session):
    row = int(session.suggestions.rows[0])
    session.edit(row)
    predicted = session.editing.classes
    paint(session, (3, 4))
    drawn = session.editing.classes
    session.edit(row, start="empty")
    assert not session.editing.classes.any()
    session.undo()
    assert (session.editing.classes == drawn).all()
    session.undo()
    assert (session.editing.classes == predicted).all()


@pytest.mark.slow
def test_a_kernel_killed_between_strokes_loses_none_of_them(folder, tmp_path):
    command = [sys.executable, "-m", "tests.session.drawing_process", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.5)
        child.kill()
        told = [int(line) for line in child.stdout.read().splitlines() if line]
    assert len(told) > 3
    session = opened(folder)
    session.edit(session.queue[0].row)
    strokes = session.editing.cost.strokes
    assert strokes - len(told) in (0, 1), "the stroke that was being drawn may be saved untold"
    wanted = np.array([1 + number % 2 for number in range(strokes)])
    assert (session.editing.classes.ravel()[:strokes] == wanted).all()
    assert session.queue[0].state == "in progress"
    for _ in range(strokes):
        session.undo()
    assert not session.editing.can_undo
    assert (session.editing.classes == session.inspection(session.queue[0].row).prediction).all()
    session.close()


def test_what_cannot_be_saved_is_told_kept_and_saved_with_the_next_stroke(session, monkeypatch):
    row, other = session.suggestions.rows[:2].tolist()
    session.edit(row)
    paint(session, (1, 1))

    def full(ledger: Ledger, entries: object) -> None:
        raise LedgerError("The disk is full. Free some space, then save again.")

    extend = Ledger.extend
    monkeypatch.setattr(Ledger, "extend", full)
    paint(session, (2, 2), (3, 3))
    assert "The disk is full" in session.editing.words
    assert not session.editing.saved
    session.edit(other)
    session.edit(row)
    assert session.editing.classes[3, 3] == 1, "still there after a look at another slice"
    session.answer("done")
    assert not session.pool.labeled[row], "what is not in the ledger is not trained on"
    monkeypatch.setattr(Ledger, "extend", extend)
    paint(session, (4, 4))
    assert session.editing.saved
    assert session.editing.words == ""
    with Ledger(session.folder / "annotations.sqlite") as ledger:
        kinds = [entry.kind for entry in ledger.entries(str(session.pool.ids[row]))]
    assert kinds == ["opened", "stroke", "stroke", "stroke", "done", "stroke"]
    session.catch_up()
    assert session.pool.labeled_in[row] == 1


def test_unsure_and_skipped_slices_are_set_aside_and_unusable_ones_for_good(session, folder):
    asked = session.suggestions.rows.tolist()
    session.edit(asked[0])
    session.answer("skipped")
    assert "Say why" in session.problem
    session.answer("skipped", "unusable: motion")
    session.edit(asked[1])
    session.answer("unsure")
    assert states(session) == ["skipped", "unsure", "suggested"]
    assert session.next_step == "Annotate the last slice"
    assert session.queue[0].note == "unusable: motion"
    assert session.suggestions.rows.tolist() == asked[2:]
    session.use("random")
    session.set_budget(len(session.pool) - 6)
    with pytest.raises(WorkbenchError, match="Say why"):
        session.wait()
    assert not set(asked[:2]) & set(session.suggestions.rows.tolist())
    session.use("gradient-guided")
    session.set_budget(3)
    session.wait()
    session.label_suggestions()
    assert not session.pool.labeled[asked[:2]].any()
    session.close()

    again = opened(folder)
    assert not again.pool.eligible[asked[0]]
    assert again.pool.eligible[asked[1]], "it may be suggested again in a later round"
    assert not again.pool.labeled[asked[:2]].any()
    again.close()


def test_an_answer_can_be_taken_back_before_it_is_trained_on(session):
    row = int(session.suggestions.rows[0])
    session.edit(row)
    session.answer("done")
    assert session.pool.labeled[row]
    session.answer("unsure")
    assert not session.pool.labeled[row]


def test_two_kernels_on_one_ledger_see_each_others_work_and_lose_nothing(session, folder):
    row, other = session.suggestions.rows[:2].tolist()
    ben = opened(folder, "ben")
    session.edit(row)
    paint(session, (1, 1))
    drawn = session.editing.classes
    session.answer("done")
    assert states(ben)[0] == "suggested"
    ben.catch_up()
    assert states(ben)[0] == "done"
    assert ben.queue[0].annotators == ("anna",)
    assert ben.pool.labeled_in[row] == 1
    ben.edit(row)
    assert ben.editing.started_from == "annotation"
    assert ben.editing.others == "anna answered done: the same."
    paint(ben, (2, 2), value=3 - int(drawn[2, 2] == 3))
    ben.edit(other, start="empty")
    paint(ben, (7, 7), value=2)
    ben.answer("done")
    session.catch_up()
    assert session.pool.labeled_in[other] == 1
    session.edit(row)
    assert (session.editing.classes == drawn).all(), "each keeps a drawing of their own"
    assert (ben.labels_now()[0].read([row])[0] == drawn).all(), "ben has not answered"
    labels, _ = session.labels_now()
    assert labels.read([other])[0, 7, 7] == 2
    ben.close()


def test_the_next_round_trains_on_what_is_done_while_others_are_still_drawn(session, folder):
    asked = session.suggestions.rows.tolist()
    reference = session.labels.read([asked[0]])[0]
    session.edit(asked[0], start="empty")
    paint(session, (3, 3), (3, 4))
    session.answer("done")
    drawn = session.editing.classes
    assert (drawn != reference).any()
    session.start_round()
    session.edit(asked[1], start="empty")
    paint(session, (5, 5))
    session.answer("done")
    session.wait()
    assert session.round.index == 1
    labels = session.round.evidence.study.data.labels
    assert (labels.read([asked[0]])[0] == drawn).all()
    assert labels.key != session.labels.key
    assert (labels.read([asked[1]]) == session.labels.read([asked[1]])).all(), "a snapshot"
    assert session.pool.labeled_in[asked].tolist() == [1, 2, -1]
    assert not set(asked[:2]) & set(session.suggestions.rows.tolist())
    assert session.round.effort["changed_pixels"] == 2
    assert session.round.effort["strokes"] == 2
    assert session.round.annotated["slices"] == 5
    assert session.round.annotated["active_seconds"] == 4.0
    suggested = session.suggestions.rows.tolist()
    session.edit(asked[0])
    paint(session, (9, 9))
    session.answer("done")
    session.close()

    again = opened(folder)
    assert again.round.index == 1
    kept = again.round.evidence.study.data.labels
    assert kept.key == labels.key, "the labels that it was trained on, not those of now"
    assert (kept.read([asked[0]])[0] == drawn).all()
    assert again.round.effort["changed_pixels"] == 2
    assert again.labels_now()[0].read([asked[0]])[0, 9, 9] == 1
    assert again.pool.labeled_in[asked].tolist() == [1, 2, -1]
    assert again.suggestions.rows.tolist() == suggested
    again.close()


def test_a_kernel_that_is_behind_another_trains_and_saves_nothing_over_it(session, folder):
    behind = opened(folder, "ben")
    session.label_suggestions()
    session.start_round()
    session.wait()
    saved = (folder / "session.json").read_text()
    behind.edit(behind.queue[0].row)
    behind.answer("done")
    behind.start_round()
    assert "Another kernel has trained round 1" in behind.problem
    assert (folder / "session.json").read_text() == saved
    behind.close()


def test_a_model_is_trained_anew_where_an_annotation_differs(folder, tmp_path):
    losses = []
    for name, place in (("one", (3, 3)), ("other", (4, 40)), ("one again", (3, 3))):
        session = opened(Path(shutil.copytree(folder, tmp_path / name)))
        session.edit(session.queue[0].row, start="empty")
        paint(session, place)
        session.answer("done")
        session.start_round()
        session.wait()
        losses.append(session.round.losses)
        session.close()
    assert losses[0] != losses[1]
    assert losses[0] == losses[2]


def test_what_is_done_while_a_training_runs_that_is_stopped_counts_for_the_next(session, folder):
    asked = session.suggestions.rows.tolist()
    session.edit(asked[0])
    session.answer("done")
    session.start_round()
    session.edit(asked[1])
    session.answer("done")
    assert session.pool.labeled_in[asked[1]] == 2
    session.cancel()
    session.wait()
    if session.round.index == 0:  # it was stopped before its end
        session.start_round()
        session.wait()
        assert session.pool.labeled_in[asked[:2]].tolist() == [1, 1]
    assert [path.name for path in sorted((folder / "rounds").iterdir())] == ["000", "001"]


def test_the_annotator_can_be_named_when_a_session_is_made(tmp_path):
    assert Session("phantom", tmp_path / "run", annotator=" anna ").annotator == "anna"
    assert Session("phantom", tmp_path / "run").annotator
    with pytest.raises(LedgerError, match="The annotator has no name"):
        Session("phantom", tmp_path / "run", annotator=" ")


def test_a_name_that_cannot_be_kept_is_refused_before_anything_is_opened(tmp_path):
    session = Session("phantom", tmp_path / "run", annotator="anna")
    session.annotator = ""
    assert session.annotator == "anna"
    assert "no name" in session.problem


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "anna\u202e", "x" * 300])
def test_a_name_that_cannot_be_kept_is_refused_and_the_old_one_stays(session, name):
    session.annotator = name
    assert session.annotator == "anna"
    assert session.problem


@pytest.mark.parametrize(
    "name", ["'); DROP TABLE entries; --", "<script>alert(1)</script>", "李 🙂"]
)
def test_names_with_odd_characters_are_text_and_nothing_more(session, name):
    session.annotator = name
    session.edit(int(session.suggestions.rows[0]))
    paint(session, (1, 1))
    session.answer("done")
    assert session.queue[0].annotators == (name,)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.zeros((3, 3), np.uint8), "of the shape"),
        (np.zeros((160, 160), np.int64), "the type int64"),
        ("unknown class", "class 9"),
    ],
)
def test_a_label_map_that_does_not_fit_is_refused_and_changes_nothing(session, wrong, said):
    session.edit(int(session.suggestions.rows[0]))
    before = session.editing
    if isinstance(wrong, str):
        wrong = np.full_like(before.classes, 9)
    session.draw(wrong)
    assert said in session.problem
    assert session.editing is before
    session.undo()
    assert session.editing is before


def test_what_cannot_be_edited_is_refused_in_a_sentence(session):
    session.edit(10**6)
    assert "There is no row" in session.problem
    session.edit(0, depth=4)
    assert "There is no slice 4" in session.problem
    session.edit(0, start="guess")
    assert "'guess'" in session.problem
    assert session.editing is None
    session.undo()
    assert "nothing on the canvas" in session.problem


def test_a_ledger_of_other_images_is_left_alone_and_told(session, folder):
    session.close()
    (folder / "annotations.sqlite").unlink(missing_ok=True)
    Ledger(folder / "annotations.sqlite", images_key="others").close()
    again = a_session(folder)
    again.open()
    again.wait()
    assert any("other images" in sentence for sentence in again.log)
    again.edit(again.queue[0].row)
    assert not again.editing.saved
    assert "other images" in again.editing.words
    again.close()
    with Ledger(folder / "annotations.sqlite") as ledger:
        assert ledger.last == 0


def test_a_run_begun_on_a_gpu_opens_without_one_and_is_only_not_trained(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    begun = json.loads((folder / "run.json").read_text())
    begun["environment"]["compute"]["device"] = "cuda"
    (folder / "run.json").write_text(json.dumps(begun))
    session = opened(folder)
    assert "Opened for looking" in session.log[0]
    row = int(np.flatnonzero(session.pool.free)[0])
    session.edit(row)
    session.wait()
    assert session.editing.started_from == "prediction"
    paint(session, (3, 4))
    session.answer("done")
    session.start_round()
    with pytest.raises(WorkbenchError, match="was begun on a GPU"):
        session.wait()
    assert [path.name for path in (folder / "rounds").iterdir()] == ["000"]
    session.close()
