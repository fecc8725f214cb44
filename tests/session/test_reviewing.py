"""Reviewing: every source of a slice can be looked at, also in a run without its network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.session.bare import a_round, bare_session
from tests.session.test_session import a_session
from workbench.annotation.ledger import Ledger
from workbench.errors import RunError, WorkbenchError
from workbench.session import predicting
from workbench.session.reviewing import Source


@pytest.fixture
def session(tmp_path, monkeypatch):
    """Slices whose reference is background and whose prediction is 2 everywhere."""
    monkeypatch.setattr(
        predicting, "predict_row", lambda evidence, row: np.full((8, 8), 2, np.uint8)
    )
    session = bare_session(tmp_path / "run")
    yield session
    session.close()


def paint(session, row, place, answer=""):
    session.edit(row)
    drawn = session.editing.classes.copy()
    drawn[place] = 1
    session.draw(drawn, tool="brush")
    if answer:
        session.answer(answer)


def kinds(session, row, depth=0):
    return [(each.kind, each.annotator) for each in session.sources(row, depth)]


def test_a_slice_that_nobody_drew_on_has_its_prediction_and_on_request_its_reference(session):
    prediction, reference = session.sources(5)
    assert (prediction.kind, reference.kind) == ("prediction", "reference")
    assert reference.asked
    assert session.known(5)[1] == "prediction"
    classes, kind = session.known(5, source=reference)
    assert kind == "reference"
    assert not classes.any()


def test_before_the_first_round_nothing_is_shown_unless_the_reference_is_asked_for(session):
    session.round = None
    (reference,) = session.sources(5)
    assert session.known(5)[1] == ""
    assert session.known(5, source=reference)[1] == "reference"


def test_what_two_people_drew_can_be_looked_at_one_after_the_other(session):
    paint(session, 5, (1, 1), "done")
    session.annotator = "ben"
    paint(session, 5, (2, 2))
    session.annotator = "cleo"
    session.catch_up()
    assert kinds(session, 5) == [
        ("annotation", "anna"),  # accepted: what training takes
        ("reference", ""),
        ("prediction", ""),
        ("annotation", "ben"),
    ]
    by = {each.annotator: each for each in session.sources(5)}
    assert (by["anna"].state, by["ben"].state) == ("done", "in progress")
    assert (session.known(5)[0] == session.known(5, source=by["anna"])[0]).all()
    assert session.known(5, source=by["anna"])[0][1, 1] == 1
    assert session.known(5, source=by["ben"])[0][2, 2] == 1
    session.annotator = "ben"
    assert kinds(session, 5)[:2] == [("annotation", "ben"), ("annotation", "anna")]
    assert session.known(5)[0][2, 2] == 1


def test_a_slice_that_was_only_opened_is_no_annotation(session):
    session.edit(5)
    session.catch_up()
    assert kinds(session, 5) == [("prediction", ""), ("reference", "")]


def test_listing_reads_no_map_and_asks_no_network(session, monkeypatch):
    paint(session, 5, (1, 1), "done")
    session.round = None

    def forbidden(*_args, **_more):
        raise AssertionError("a map was read, or a network asked")

    monkeypatch.setattr(predicting, "predict_row", forbidden)
    monkeypatch.setattr(session.labels, "read", forbidden)
    monkeypatch.setattr(Ledger, "read", forbidden)
    found = session.sources(5)
    assert [each.kind for each in found] == ["annotation", "reference", "prediction"]
    assert found[2].round == 0
    session.round = a_round(1)
    assert session.sources(5)[2] == Source("prediction")


def test_without_a_network_the_predictions_are_those_that_people_began_with(session):
    paint(session, 5, (1, 1), "done")
    session.round = None  # its network is gone
    (kept,) = [each for each in session.sources(5) if each.kind == "prediction"]
    assert kept == Source("prediction", round=0)
    classes, kind = session.known(5, source=kept)
    assert kind == "prediction"
    assert (classes == 2).all()
    assert session.known(6)[1] == "", "nobody began with what was predicted there"


def test_what_was_drawn_from_nothing_is_no_prediction(session):
    session.edit(5, start="empty")
    drawn = np.ones((8, 8), np.uint8)
    session.draw(drawn, tool="brush")
    session.answer("done")
    session.round = None
    assert kinds(session, 5) == [("annotation", "anna"), ("reference", "")]


def test_slices_of_a_volume_that_were_never_opened_keep_their_prediction(tmp_path, monkeypatch):
    monkeypatch.setattr(
        predicting, "predict_row", lambda evidence, row: np.full((6, 8, 8), 2, np.uint8)
    )
    session = bare_session(tmp_path / "run", of_volumes=True)
    session.edit(1)
    session.wait()
    session.answer("done")
    session.round = None
    (kept,) = [each for each in session.sources(1, 3) if each.kind == "prediction"]
    assert (session.known(1, 3, kept)[0] == 2).all()
    assert not [each for each in session.sources(1, 0) if each.kind == "prediction"]  # it is blank
    session.close()


def test_where_the_network_fails_the_ledger_tells_what_it_predicted_before(session, monkeypatch):
    paint(session, 5, (1, 1), "done")
    session._predicted_by = session.round.index
    session._unpredictable[5] = "The graphics card has no memory left."
    assert [each.round for each in session.sources(5) if each.kind == "prediction"] == [0]
    session.round = a_round(1)  # another network has not failed yet
    assert Source("prediction") in session.sources(5)


# ------------------------------------------------------------ runs without their network
@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    """The folder of a run with two rounds, the second trained on what two people drew."""
    folder = tmp_path_factory.mktemp("reviewing") / "run"
    session = a_session(folder)
    session.annotator = "anna"
    session.open()
    session.wait()
    session.next()
    session.wait()
    for row in session.suggestions.rows.tolist():
        paint(session, row, (1, 1), "done")
    session.annotator = "ben"
    paint(session, session.queue[0].row, (2, 2), "done")
    session.start_round()
    session.wait()
    session.close()
    return folder


@pytest.fixture
def folder(annotated, tmp_path):
    return Path(shutil.copytree(annotated, tmp_path / "copy"))


def reopened(folder):
    session = a_session(folder)
    session.annotator = "cleo"
    session.open()
    session.wait()
    return session


def on_a_gpu(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    begun = json.loads((folder / "run.json").read_text())
    begun["environment"]["compute"]["device"] = "cuda"
    (folder / "run.json").write_text(json.dumps(begun))


def test_a_run_without_its_weights_opens_with_cases_annotations_predictions_and_curve(
    folder, annotated
):
    for each in folder.rglob("*.safetensors"):
        each.unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    session = reopened(folder)
    assert "rounds/001/weights.safetensors is absent" in session.only_look
    assert session.log[0] == f"Opened for looking and annotating only. {session.only_look}"
    assert session.steps["manifold"].detail == session.only_look
    assert session.problem == ""
    assert not session.predicts

    assert session.round is None
    saved = [json.loads((annotated / f"rounds/00{i}/round.json").read_text()) for i in (0, 1)]
    assert [each.metrics["mean"] for each in session.rounds] == [
        each["metrics"]["mean"] for each in saved
    ]
    assert [int(each.pool.labeled.sum()) for each in session.rounds] == [4, 7]
    assert session.steps["curve"].detail == "2 rounds"
    assert [str(session.pool.ids[task.row]) for task in session.queue] == saved[1]["suggested"]
    assert session.next_step == "Annotate these 3"

    row = session._row_of[saved[0]["suggested"][0]]
    assert [(each.kind, each.annotator, each.round) for each in session.sources(row)] == [
        ("annotation", "ben", -1),
        ("reference", "", -1),
        ("prediction", "", 1),
        ("annotation", "anna", -1),
    ]
    with Ledger(folder / "annotations.sqlite") as ledger:
        first = ledger.entries(saved[0]["suggested"][0])[0]
    assert first.started_from == "prediction"
    assert (session.known(row, source=session.sources(row)[2])[0] == first.classes).all()
    assert before == {path: path.read_bytes() for path in folder.rglob("*.json")}
    session.close()


def test_what_needs_the_network_is_refused_in_a_sentence_and_people_go_on_annotating(folder):
    for each in folder.rglob("*.safetensors"):
        each.unlink()
    session = reopened(folder)
    for wish in (session.start_round, session.train_manifold, session.label_suggestions):
        session.problem, session._failure = "", None
        wish()
        assert session.problem == session.only_look
    row = session.queue[0].row
    session.edit(row, start="prediction")
    assert session.problem.startswith("There is no prediction. The network of its last round")
    session._failure = None
    session.next()
    assert session.editing.row == row
    assert session.editing.started_from == "empty"
    session.answer("done")
    assert [task.state for task in session.queue].count("done") == 1
    session.tune(max_angle=30.0)
    session.wait()
    session.close()


def test_damaged_weights_are_told_and_the_run_is_only_looked_at(folder):
    weights = folder / "rounds/001/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    session = reopened(folder)
    assert "absent, damaged or those of another network" in session.only_look
    assert len(session.rounds) == 2
    assert not session.predicts
    session.start_round()
    with pytest.raises(RunError, match="damaged"):
        session.wait()
    session.close()


def test_a_run_begun_on_a_gpu_shows_its_rounds_and_predicts_without_one(folder, monkeypatch):
    on_a_gpu(folder, monkeypatch)
    session = reopened(folder)
    assert "was begun on a GPU" in session.only_look
    assert len(session.rounds) == 2
    assert session.predicts
    row = session.queue[0].row
    assert session.known(row)[1] == "predicting"
    session.wait()
    assert session.known(row)[1] == "prediction"
    session.start_round()
    with pytest.raises(WorkbenchError, match="was begun on a GPU"):
        session.wait()
    session.close()


def test_a_run_begun_on_a_gpu_and_copied_without_weights_tells_both(folder, monkeypatch):
    on_a_gpu(folder, monkeypatch)
    (folder / "rounds/001/weights.safetensors").unlink()
    session = reopened(folder)
    assert "was begun on a GPU" in session.only_look
    assert "is absent" in session.only_look
    assert len(session.rounds) == 2
    session.close()
