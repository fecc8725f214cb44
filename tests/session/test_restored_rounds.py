"""What a round was trained with stays the same after a restart, whatever is taken back later."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.session.bare import a_round, bare_session
from workbench.experiments.runs import SavedRound
from workbench.session import predicting


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
