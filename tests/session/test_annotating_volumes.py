"""Volumes are drawn slice by slice and answered as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from tests.session.test_session import a_session
from tests.widgets.test_volumes import SETTINGS


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    settings = {**SETTINGS, "budget": 2}
    session = a_session(tmp_path_factory.mktemp("volumes") / "run", **settings)
    session.annotator = "anna"
    session.open()
    session.wait()
    session.next()
    session.wait()
    yield session
    session.close()


def test_a_volume_is_drawn_slice_by_slice_and_done_as_a_whole(session):
    row = int(session.suggestions.rows[0])
    prediction = session.inspection(row).volume["prediction"]
    session.edit(row)
    session.wait()  # the volume is predicted in the background
    here = session.editing
    first, last = here.filled
    assert here.depths == session.images.size[0]
    assert here.depth == (first + last) // 2
    assert prediction.shape[0] == last - first + 1, "the inspector leaves out blank ends, too"
    assert (here.classes == prediction[here.depth - first]).all()
    session.draw(np.full_like(here.classes, 1), tool="fill", contour_mm=3.0)
    session.edit(row, first)
    session.draw(np.full_like(here.classes, 2), tool="fill", contour_mm=4.0)
    assert session.editing.cost.strokes == 2
    assert session.editing.cost.slices_opened == 2
    session.edit(row, here.depth)
    assert (session.editing.classes == 1).all()
    assert session.editing.can_undo
    session.answer("done")
    assert session.pool.labeled_in[row] == 1
    assert session.queue[0].state == "done"
    drawn = session.labels_now()[0].read([row])[0]
    assert (drawn[here.depth] == 1).all()
    assert (drawn[first] == 2).all()
    others = [depth for depth in range(first, last + 1) if depth not in (first, here.depth)]
    assert (drawn[others] == prediction[np.array(others) - first]).all(), "accepted as predicted"
    assert not drawn[:first].any()
    assert not drawn[last + 1 :].any()


def test_neighbors_for_tools_are_the_nearest_slices_that_were_drawn(session):
    row = int(session.suggestions.rows[0])
    session.edit(row)
    session.wait()
    middle = session.editing.depth
    session.draw(np.full_like(session.editing.classes, 1), tool="fill")
    session.edit(row, middle + 3)
    canvas = session.canvas()
    assert canvas.before.distance == 3
    assert (canvas.before.classes == 1).all()
    assert canvas.after is None
    assert canvas.image.shape == (len(session.images.channels), *session.images.size[1:])
    session.answer("unsure")


def test_the_next_round_trains_on_the_volume_that_was_drawn(session):
    session.start_round()
    session.wait()
    assert session.round.index == 1
    assert session.round.effort["opened"] >= 2
    assert np.isfinite(session.round.losses).all()
