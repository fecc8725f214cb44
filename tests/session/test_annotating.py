"""Drawing in a session: nothing is lost, and the next round trains on what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.session.test_session import a_session
from workbench.session import Session


def opened(folder: Path, **settings: object) -> Session:
    session = a_session(folder, **settings)
    session.annotator = "anna"
    session.open()
    session.wait()
    return session


@pytest.fixture
def suggested(tmp_path):
    """A session with its first suggestions."""
    session = opened(tmp_path / "run")
    session.next()
    session.wait()
    yield session
    session.close()


def dot(session: Session, row: int, column: int, name: int = 1) -> np.ndarray:
    """What is on the canvas, with one pixel more."""
    classes = session.editing.classes.copy()
    classes[row, column] = name
    return classes


def test_a_suggestion_opens_with_the_prediction_and_is_corrected(suggested):
    session = suggested
    row = int(session.suggestions.rows[0])
    assert [task.state for task in session.queue] == ["suggested"] * 3
    session.edit(row)
    assert session.editing.started_from == "prediction"
    assert (session.editing.classes == session.inspection(row).prediction).all()
    before = session.editing.classes
    session.draw(dot(session, 3, 4, 2), tool="brush", active_seconds=2.0, contour_mm=5.0)
    session.draw(dot(session, 3, 5, 2), tool="brush", active_seconds=1.0, contour_mm=5.0)
    assert session.editing.effort.strokes == 2
    assert session.editing.effort.active_seconds == 3.0
    assert session.editing.effort.contour_mm == 10.0
    assert session.editing.effort.changed_pixels == int((session.editing.classes != before).sum())
    assert session.queue[0].state == "in progress"
    assert session.queue[0].annotators == ("anna",)
    session.answer("done")
    assert session.queue[0].state == "done"
    assert session.pool.labeled_in[row] == 1
    assert row not in session.suggestions.rows
    assert session.steps["annotate"].detail == "1 of 3 slices done"
