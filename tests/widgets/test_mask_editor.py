"""The editor's kernel side: what the browser is shown, and what its messages do."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from tests.widgets.fake_annotating import FakeAnnotating, FakeAnnotatingVolumes
from widgets.mask_editor import MaskEditor
from widgets.slice_view import outlines


@pytest.fixture
def session():
    return FakeAnnotating(n=240, cases=8)


@pytest.fixture
def editor(session):
    view = MaskEditor(session)
    ask(view, "visible")
    return view


def ask(view, what, buffers=None, **wish):
    """Send a message as the browser does; return what the browser is told in the end."""
    if what in ("undo", "redo", "answer", "tool") and "place" not in wish:
        wish["place"] = [view.info["row"], view.info["depth"]]
    sent = []
    view.send = lambda content, buffers=None: sent.append(content)
    view._receive(view, {"do": what, "ticket": "me-1", **wish}, buffers or [])
    return sent[-1]["message"]


def shown(view):
    """The label map that the browser has."""
    return np.frombuffer(zlib.decompress(view.mask), np.uint8).reshape(view.info["shape"])


def sent(after, before):
    """The label maps that the browser sends with a stroke."""
    return [memoryview(each.tobytes()) for each in (after, before)]


def stroke(view, classes, **changes):
    told = {
        "tool": "brush",
        "seconds": 1.5,
        "place": [view.info["row"], view.info["depth"]],
        "stamp": "me-1",
    }
    return ask(view, "stroke", sent(classes, shown(view)), **{**told, **changes})


def test_nothing_is_computed_before_the_editor_is_looked_at(session):
    view = MaskEditor(session)
    assert view.pictures == {}
    assert not view.info["open"]
    assert "12 slices to annotate" in view.info["lines"][0]


def test_a_task_opens_with_its_pictures_and_the_prediction(session, editor):
    ask(editor, "turn", by=1, stamp="me-1")
    row = session.queue[0].row
    assert editor.info["key"] == f"{row}/0/edit"
    assert (shown(editor) == session.editing.classes).all()
    assert shown(editor).any()
    assert set(editor.pictures) == {"picture", "previous", "next"}
    assert editor.info["beside"]["previous"] == "prediction"
    assert editor.info["letters"] == ["R", "L", "A", "P"]


def test_a_stroke_reaches_the_session_with_what_it_cost(session, editor):
    ask(editor, "turn", by=1)
    drawn = shown(editor).copy()
    drawn[3:9, 4:20] = 2
    assert stroke(editor, drawn) == ""
    kind, row, _, saved, told = session.entries[-1]
    assert (kind, row) == ("stroke", session.queue[0].row)
    assert (saved == drawn).all()
    assert told == {"tool": "brush", "active_seconds": 1.5}
    assert editor.info["stamp"] == "me-1"  # the browser knows it as its own
    assert (shown(editor) == drawn).all()


def test_the_browser_hears_that_a_stroke_is_saved_only_if_it_is(session, editor):
    ask(editor, "turn", by=1)
    heard = []
    told = {"tool": "brush", "seconds": 0, "place": [session.editing.row, 0]}
    wish = {"do": "stroke", "ticket": "me-1", "stamp": "me-1", **told}
    buffers = sent(np.zeros((64, 64), np.uint8), shown(editor))
    editor.send = lambda content, buffers=None: heard.append(content)
    editor._receive(editor, wish, buffers)
    assert heard == [{"saved": "me-1"}, {"done": "me-1", "message": ""}]
    heard.clear()
    session.full = True
    editor._receive(editor, wish, buffers)
    assert heard == [{"done": "me-1", "message": "The disk is full."}]


def test_a_stroke_leaves_what_came_from_another_browser_meanwhile(session, editor):
    ask(editor, "turn", by=1)
    before = shown(editor)
    theirs, mine = before.copy(), before.copy()
    theirs[2:8, 2:8], mine[40:44, 10:50] = 3, 2
    session.draw(theirs, tool="brush")
    place = [session.editing.row, 0]
    wish = {"tool": "brush", "seconds": 0.5, "place": place, "stamp": "me-1"}
    assert ask(editor, "stroke", sent(mine, before), **wish) == ""
    theirs[40:44, 10:50] = 2
    assert (session.editing.classes == theirs).all()
    assert (shown(editor) == theirs).all()
    assert editor.info["stamp"] == ""  # the browser has to take it: it has not all of it


def test_a_stroke_that_cannot_be_saved_is_told_with_the_reason(session, editor):
    ask(editor, "turn", by=1)
    session.full = True
    assert stroke(editor, np.ones((64, 64), np.uint8)) == "The disk is full."
    assert not editor.info["saved"]
    session.full = False
    assert stroke(editor, np.ones((64, 64), np.uint8)) == ""
    assert editor.info["saved"]


def test_a_stroke_for_another_slice_or_of_another_size_is_refused(session, editor):
    ask(editor, "turn", by=1)
    row = session.editing.row
    assert "no longer open" in stroke(editor, np.ones((64, 64), np.uint8), place=[row + 1, 0])
    assert "9 pixels" in stroke(editor, np.ones((3, 3), np.uint8))
    assert session.entries == []


@pytest.mark.parametrize(
    ("what", "wish"),
    [
        ("answer", {"kind": "done"}),
        ("tool", {"name": "smart fill", "row": 3, "column": 3, "label": 1, "tolerance": 1.0}),
        ("undo", {}),
        ("redo", {}),
    ],
)
def test_what_was_meant_for_another_slice_is_refused(session, editor, what, wish):
    ask(editor, "turn", by=1)
    other = [session.queue[1].row, 0]
    assert "no longer open" in ask(editor, what, place=other, **wish)
    assert session.entries == []


def test_saving_again_books_a_stroke_only_if_it_never_came(session, editor):
    ask(editor, "turn", by=1)
    place = [session.editing.row, 0]
    session.full = True
    before, drawn = shown(editor), np.ones((64, 64), np.uint8)
    stroke(editor, drawn)
    wish = {"tool": "brush", "place": place, "stamp": "me-1"}
    assert ask(editor, "save", sent(drawn, before), **wish) == "The disk is full."
    session.full = False
    assert ask(editor, "save", sent(drawn, before), **wish) == ""
    assert editor.info["saved"]
    assert len(session.entries) == 1
    ask(editor, "save", sent(np.zeros_like(drawn), drawn), **wish)
    assert [entry[0] for entry in session.entries] == ["stroke", "stroke"]


def test_what_could_not_be_saved_is_called_saved_once_it_is(session, editor):
    ask(editor, "turn", by=1)
    session.full = True
    stroke(editor, np.ones((64, 64), np.uint8))
    session.full = False
    ask(editor, "catch_up")
    assert editor.info["saved"]


def test_undo_brings_back_the_map_that_was_there(session, editor):
    ask(editor, "turn", by=1)
    first = shown(editor).copy()
    stroke(editor, np.full((64, 64), 3, np.uint8))
    ask(editor, "undo", stamp="me-2")
    assert (shown(editor) == first).all()
    assert editor.info["can_redo"]


def test_done_opens_the_next_task_and_the_last_one_stays(session, editor):
    ask(editor, "turn", by=1)
    for place in range(12):
        assert session.editing.row == session.queue[place].row
        ask(editor, "answer", kind="done", seconds=2.0)
    assert [task.state for task in session.queue] == ["done"] * 12
    assert session.editing.row == session.queue[11].row


def test_looking_around_changes_nothing_and_leads_back(session, editor):
    ask(editor, "turn", by=1)
    here = editor.info["key"]
    calls = [call for call in session.calls if call[0] == "edit"]
    ask(editor, "look", at=editor.info["at"] + 1)
    assert editor.info["looking"]
    assert editor.info["source"] == "prediction"
    ask(editor, "look", row=3)
    assert editor.info["case"] == session.pool.ids[3].case
    ask(editor, "back")
    assert editor.info["key"] == here
    assert [call for call in session.calls if call[0] == "edit"] == calls


def test_cases_are_looked_through_without_a_model():
    session = FakeAnnotating(n=240, cases=8, rounds=0)
    view = MaskEditor(session)
    ask(view, "visible")
    assert view.tasks == []
    assert "Nothing is suggested yet" in view.info["lines"][1]
    ask(view, "look", row=view.cases[2]["row"])
    assert view.info["looking"]
    assert view.info["source"] == ""
    assert not shown(view).any()
    ask(view, "look", at=0)
    assert view.info["row"] == 60
    assert set(view.pictures) == {"picture", "next"}


def choose(view, words):
    """Choose what is shown of a slice, as the banner does; return what the browser is told."""
    (key,) = [each["key"] for each in view.info["sources"] if each["words"] == words]
    return ask(view, "source", key=key)


def words_of(view):
    return [each["words"] for each in view.info["sources"]]


def test_prediction_reference_and_everybodys_annotation_are_shown_one_after_the_other(
    session, editor
):
    theirs = np.zeros((64, 64), np.uint8)
    theirs[10:20, 10:20] = 3
    session.others[3, 0] = {"ben": theirs}
    ask(editor, "look", row=3)
    assert words_of(editor) == ["prediction", "annotation by ben", "reference"]
    assert editor.info["told"] == "prediction"
    pictures = editor.pictures
    choose(editor, "annotation by ben")
    assert editor.info["told"] == "annotation by ben"
    assert editor.info["source"] == "annotation"
    assert (shown(editor) == theirs).all()
    assert editor.pictures is pictures  # only the label map is sent again
    choose(editor, "reference")
    assert (shown(editor) == session._classes(3)).all()
    assert [call for call in session.calls if call[0] == "edit"] == []
    assert "reference" in editor.still()[0].layout.title.text


def test_what_was_chosen_stays_while_the_case_is_leafed_through_where_a_slice_has_it(
    session, editor
):
    session.others[3, 0] = {"ben": np.ones((64, 64), np.uint8)}
    ask(editor, "look", row=3)
    choose(editor, "annotation by ben")
    ask(editor, "look", row=4)
    assert editor.info["told"] == "prediction"
    ask(editor, "look", row=3)
    assert editor.info["told"] == "annotation by ben"
    ask(editor, "source", key="annotation -1 nobody")
    assert editor.info["told"] == "prediction"


def test_without_a_model_the_reference_is_shown_to_who_asks_for_it_only():
    session = FakeAnnotating(n=240, cases=8, rounds=0)
    view = MaskEditor(session)
    ask(view, "visible")
    ask(view, "look", row=3)
    assert words_of(view) == ["nothing", "reference"]
    assert view.info["chosen"] == ""
    choose(view, "reference")
    assert shown(view).any()
    assert words_of(view) == ["nothing", "reference"]
    choose(view, "nothing")
    assert not shown(view).any()


def test_a_slice_that_is_drawn_on_offers_no_other_source(session, editor):
    ask(editor, "look", row=3)
    choose(editor, "reference")
    ask(editor, "edit", row=3)
    assert editor.info["sources"] == []
    assert (shown(editor) == session.editing.classes).all()


def test_a_run_that_is_only_looked_at_says_why_and_trains_nothing(session):
    session.queue, session.suggestions, session.round = (), None, None
    session.only_look = "The network of its last round is not here."
    view = MaskEditor(session)
    ask(view, "visible")
    assert "Under Cases every slice can be looked at" in view.info["lines"][0]
    assert view.info["lines"][1] == session.only_look
    assert (view.about["trainable"], view.about["untrainable"]) == (0, session.only_look)


def test_what_nobody_looks_at_is_not_computed(session, editor):
    ask(editor, "turn", by=1)
    ask(editor, "visible", client="", on=False)
    before = editor.info
    session.edit(session.queue[3].row)
    assert editor.info is before
    ask(editor, "visible", client="", on=True)
    assert editor.info["row"] == session.queue[3].row


def test_a_volume_is_leafed_through_slice_by_slice(tmp_path):
    session = FakeAnnotatingVolumes(n=24, cases=24, m=4, labeled=8)
    session.images.read = stacked(session.images.read)
    view = MaskEditor(session)
    ask(view, "visible")
    ask(view, "turn", by=1)
    assert view.info["name"].endswith("slice 11 of 20")
    ask(view, "look", at=12)
    assert session.editing.depth == 12
    assert view.info["key"] == f"{session.editing.row}/12/edit"


def test_a_volume_that_is_still_predicted_is_shown_and_not_drawn_on_until_it_is(tmp_path):
    session = FakeAnnotatingVolumes(n=24, cases=24, m=4, labeled=8)
    session.images.read = stacked(session.images.read)
    view = MaskEditor(session)
    ask(view, "visible")
    ask(view, "turn", by=1)
    drawn_on = session.editing
    known, session.known = session.known, lambda *place: (drawn_on.classes * 0, "predicting")
    session.editing = replace(drawn_on, classes=drawn_on.classes * 0, awaited="One moment.")
    ask(view, "channel", index=0)
    row, depth = drawn_on.row, drawn_on.depth
    assert view.info["key"] == f"{row}/{depth}/look"
    assert view.info["awaited"] == "One moment."
    assert not view.info["back"]
    assert view.info["beside"]["next"] == "predicting"
    assert view.outlines["next"] == []
    session.known, session.editing = known, drawn_on
    assert view.info["key"] == f"{row}/{depth}/edit"
    assert view.info["awaited"] == ""
    assert (shown(view) == drawn_on.classes).all()
    assert view.outlines["next"] != []


def test_what_is_looked_at_is_shown_anew_once_it_is_predicted(session, editor):
    known, session.known = (
        session.known,
        lambda *place: (np.zeros((64, 64), np.uint8), "predicting"),
    )
    ask(editor, "look", row=3)
    assert editor.info["source"] == "predicting"
    session.known = known
    session.predictions += 1
    assert editor.info["source"] == "prediction"
    assert shown(editor).any()


def stacked(read):
    return lambda rows: np.repeat(read(rows)[:, :, None], 20, axis=2)


def test_names_travel_as_they_are(session, editor):
    evil = "<img src=x onerror=alert(1)>"
    ask(editor, "sign", name=evil)
    assert session.annotator == evil
    assert editor.about["annotator"] == evil


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "x" * 300])
def test_a_name_that_cannot_be_kept_is_refused_where_it_was_typed(session, editor, name):
    assert "annotator" in ask(editor, "sign", name=name)
    assert session.annotator == "ada"
    assert editor.about["annotator"] == "ada"


def test_the_still_picture_tells_area_and_strokes(session, editor):
    ask(editor, "turn", by=1)
    stroke(editor, np.where(np.arange(64) < 8, 2, 0).astype(np.uint8).repeat(64).reshape(64, 64))
    figure = editor.still()[0]
    assert "1 stroke by ada" in figure.layout.title.text
    assert "edema: 512 mm²" in [trace.name for trace in figure.data]


def test_names_in_the_still_picture_are_no_markup(session, editor):
    ask(editor, "turn", by=1)
    session.annotator = "<a href='https://evil.example'>ada</a>"
    editor.classes = [{**each, "name": f"<b>{each['name']}</b>"} for each in editor.classes]
    stroke(editor, np.ones((64, 64), np.uint8))
    figure = editor.still()[0]
    texts = [figure.layout.title.text, *(trace.name for trace in figure.data if trace.name)]
    assert not any("<a" in text or "<b>" in text for text in texts)
    assert "&lt;a href" in texts[0]


def test_a_still_picture_of_nothing_is_none(session):
    assert MaskEditor(session).still() == []


def test_every_class_is_outlined_by_itself():
    classes = np.zeros((8, 8), np.uint8)
    classes[2:4, 2:5] = 7
    classes[6, 6] = 1
    found = outlines(classes)
    assert [value for value, _ in found] == [1, 7]
    points = np.frombuffer(found[1][1], np.float32).reshape(-1, 2)
    assert np.nanmin(points[:, 0]) == 2
    assert np.nanmax(points[:, 0]) == 5


def test_the_other_planes_go_through_the_pixel_and_follow_it(session, editor):
    ask(editor, "turn", by=1)
    ask(editor, "planes", on=True, row=5, column=9)
    at = editor.info["at"]
    assert [plane["name"] for plane in editor.planes] == ["coronal", "sagittal"]
    turned = editor.info["count"] - 1 - at
    assert [plane["cross"] for plane in editor.planes] == [[turned, 9], [turned, 5]]
    ask(editor, "planes", on=False)
    assert editor.planes == []


def test_a_tool_of_the_kernel_draws_in_the_channel_that_is_shown(session, editor):
    ask(editor, "turn", by=1)
    ask(editor, "channel", index=0)
    before = shown(editor).copy()
    told = {"row": 32, "column": 32, "label": 2, "tolerance": 0.2}
    assert ask(editor, "tool", name="smart fill", seconds=2.0, **told) == ""
    assert session.calls[-1] == ("apply_tool", "smart fill", {**told, "channel": 0})
    assert session.entries[-1][4]["tool"] == "smart fill"
    assert not (shown(editor) == before).all()


def test_scribbles_of_one_label_only_are_refused_and_nothing_is_drawn(session, editor):
    ask(editor, "turn", by=1)
    scribbles = np.full((64, 64), 255, np.uint8)
    scribbles[10, 10:20] = 1
    refused = ask(editor, "tool", [memoryview(scribbles.tobytes())], name="scribbles")
    assert "at least two" in refused
    assert session.entries == []


def test_superpixels_are_sent_for_the_slice_that_is_shown(session, editor):
    ask(editor, "turn", by=1)
    ask(editor, "superpixels", size=8, wish="w1")
    assert editor.segments["wish"] == "w1"
    regions = np.frombuffer(zlib.decompress(editor.segments["data"]), np.int32)
    assert regions.shape == (64 * 64,)
    assert 30 < regions.max() < 130
