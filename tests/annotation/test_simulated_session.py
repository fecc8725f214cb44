"""The simulated annotator works in a session as a person does, and as in a run without one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.session.test_session import a_session
from workbench.annotation import Ledger
from workbench.annotation.simulated import Annotator, LedgerDesk, correct

HOW = Annotator(noise_mm=1.0, missed=0.1)


@pytest.mark.slow
def test_a_session_takes_the_same_strokes_as_a_ledger_without_one(tmp_path):
    session = a_session(tmp_path / "run")
    session.annotator = "simulated"
    session.open()
    session.wait()
    session.next()
    session.wait()
    rows = [int(row) for row in session.suggestions.rows]
    data, predictions = session.data, {}
    for row in rows:
        reference = data.labels.read([row])[0]
        correct(session, row, reference, HOW, seed=(0, 1))
        assert session.problem == ""
        predictions[row] = session.inspection(row).prediction
    assert [task.state for task in session.queue] == ["done"] * len(rows)
    session.close()
    with (
        Ledger(tmp_path / "run" / "annotations.sqlite") as one,
        Ledger(tmp_path / "other.sqlite") as other,
    ):
        desk = LedgerDesk(other, data.pool.ids, 1, predictions, data.images.size)
        for row in rows:
            correct(desk, row, data.labels.read([row])[0], HOW, seed=(0, 1))
        a, b = one.totals(["sample", "round"]), other.totals(["sample", "round"])
        assert a.keys() == b.keys()
        for key in a:
            assert (a[key].strokes, a[key].tools) == (b[key].strokes, b[key].tools)
            assert a[key].active_seconds == pytest.approx(b[key].active_seconds)
            assert a[key].contour_mm == pytest.approx(b[key].contour_mm)
            assert np.array_equal(one.latest(key[0]), other.latest(key[0]))
        assert sum(each.strokes for each in a.values()) > 0
