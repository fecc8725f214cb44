"""What a round was trained with stays the same after a restart, whatever is taken back later."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.session.bare import a_round, bare_session
from tests.session.test_session import a_session
from workbench.annotation import Ledger
from workbench.experiments.runs import SavedRound
from workbench.session import Session, predicting


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "predict_row", lambda evidence, row: np.ones((8, 8), np.uint8))
    session = bare_session(tmp_path / "run", trained=False)
    session._run = SimpleNamespace(folder=session.folder, rounds=())
    yield session
    session.close()


def train(session) -> None:
    """Keep a round as `start_round` and `Run.append` do; no network is trained."""
    index = len(session._run.rounds)
    session.catch_up()
    pool = session.pool
    names = tuple(str(pool.ids[row]) for row in np.flatnonzero(pool.labeled_in == index))
    ledger = session._writer.ledger
    session._ledger_at = {**session._ledger_at, str(index): ledger.last if ledger else 0}
    saved = SavedRound(index, names, (), {}, {"name": "random"}, {}, (), {})
    session._run = SimpleNamespace(folder=session.folder, rounds=(*session._run.rounds, saved))
    session.round = a_round(index)


def answer(session, row: int, kind: str) -> None:
    session.edit(row)
    session.answer(kind)
    assert session.problem == ""


def labeled(pool) -> list[int]:
    return np.flatnonzero(pool.labeled).tolist()


def test_every_round_counts_after_a_restart_what_it_was_trained_with(session, tmp_path):
    session.pool = session.pool.with_labeled([0, 1], 0)  # from the reference
    live = []
    for answers in ([], [(3, "done"), (4, "done")], [(3, "unsure"), (5, "done")],
                    [(5, "unsure"), (3, "done")]):  # fmt: skip
        for each in answers:
            answer(session, *each)
        train(session)
        live.append(labeled(session.pool))
    assert live == [[0, 1], [0, 1, 3, 4], [0, 1, 4, 5], [0, 1, 3, 4]]
    answer(session, 4, "unsure")  # after the last round: it was trained with it
    assert labeled(session.pool) == [0, 1, 3]

    again = bare_session(tmp_path / "run", trained=False)
    again._run, again._ledger_at = session._run, session._ledger_at
    rounds, _ = again._read_back(session._run)
    assert [labeled(each.pool) for each in rounds] == live
    again._label_answered()
    assert labeled(again.pool) == [0, 1, 3]
    again.close()


def test_where_it_is_not_known_how_far_the_ledger_was_nothing_counts_as_taken_back(
    session, tmp_path
):
    session.pool = session.pool.with_labeled([0, 1], 0)
    train(session)
    answer(session, 3, "done")
    train(session)
    answer(session, 3, "unsure")
    again = bare_session(tmp_path / "run", trained=False)
    again._run = session._run
    rounds, _ = again._read_back(session._run)
    assert [labeled(each.pool) for each in rounds] == [[0, 1], [0, 1, 3]]
    again.close()


# ---------------------------------------------------------------------- files that were deleted
def opened(folder: Path) -> Session:
    session = a_session(folder)
    session.open()
    session.wait()
    return session


@pytest.fixture(scope="module")
def drawn_run(tmp_path_factory):
    """A run of three rounds; what the second was trained with was drawn."""
    folder = tmp_path_factory.mktemp("restored") / "run"
    session = opened(folder)
    session.next()
    session.wait()
    for row in session.suggestions.rows.tolist():
        answer(session, row, "done")
    for _ in range(2):
        session.start_round()
        session.wait()
        session.label_suggestions()
    assert [each.index for each in session.rounds] == [0, 1, 2]
    session.close()
    return folder


@pytest.fixture
def folder(drawn_run, tmp_path):
    return Path(shutil.copytree(drawn_run, tmp_path / "run"))


def test_a_run_of_which_nothing_is_missing_says_nothing(folder):
    session = opened(folder)
    assert "missing" not in " ".join([session.problem, *session.log])
    session.close()


def test_annotations_that_rounds_were_trained_with_are_told_where_they_are_missing(folder):
    with Ledger(folder / "annotations.sqlite") as ledger:
        key, classes, held = ledger.images_key, ledger.classes, len(ledger)
    ledger.path.unlink()
    session = opened(folder)
    told = next(each for each in session.log if "missing" in each)
    assert told.startswith("Annotations of rounds 1, 2 are missing: ")
    assert f"annotations.sqlite held {held} entries" in told
    assert "is not there now. Put it back" in told
    assert told in session.problem
    assert session.round.index == 2, "it goes on all the same"
    session.close()

    Ledger(ledger.path, images_key=key, classes=classes).close()
    session = opened(folder)
    assert "holds 0 now" in session.problem
    session.close()


def test_a_round_behind_a_missing_one_is_named_and_not_used(folder):
    shutil.rmtree(folder / "rounds/001")
    session = opened(folder)
    found = [each for each in session.log if "Found 1 finished round" in each or "002" in each]
    assert len(found) == 2
    assert found[0].startswith("rounds/002 lies in")
    assert "round 1 is missing, so it is not used" in found[0]
    assert found[0] in session.problem
    assert session.round.index == 0
    session.close()
