"""Strokes of the editor where hands, kernel and other people are not as one hopes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser.desk import Desk

pytestmark = pytest.mark.browser


def test_no_stroke_begins_before_the_slice_of_a_new_name_is_there(desk):
    desk.page.locator(".sw-editor-who").fill("ben")
    desk.page.evaluate("() => { model.held = true; }")
    desk.page.locator(".sw-editor-mask").focus()  # the name is sent when its field is left
    desk.drag((-40, 0), (40, 0))
    desk.page.evaluate("() => model.release()")
    desk.bridge.settle()
    assert desk.session.annotator == "ben"
    assert desk.strokes == []
    desk.drag((-40, 0), (40, 0))
    desk.bridge.settle()
    assert len(desk.strokes) == 1


def theirs(desk: Desk, value: int = 2) -> np.ndarray:
    """What somebody else draws in another browser, far from the strokes of these tests."""
    drawn = desk.session.editing.classes.copy()
    drawn[2:8, 2:8] = value
    desk.session.draw(drawn, tool="brush")
    return drawn


def test_a_stroke_goes_on_over_what_somebody_else_has_drawn_meanwhile(desk):
    desk.pointer("pointerdown", -60, 0)
    desk.pointer("pointermove", 0, 0)
    drawn = theirs(desk)
    desk.bridge.push()
    desk.pointer("pointermove", 40, 0)
    desk.pointer("pointerup", 40, 0, buttons=0)
    desk.bridge.settle()
    now = desk.session.editing.classes
    assert (now[2:8, 2:8] == 2).all()  # both are there
    assert ((now == 1) & (drawn == 0)).any()
    desk.page.keyboard.press("z")
    desk.bridge.settle()
    assert (desk.session.editing.classes == drawn).all()


def test_strokes_on_their_way_leave_what_somebody_else_has_drawn_at_the_same_moment(desk):
    desk.page.evaluate("() => { model.held = true; }")
    desk.drag((-60, -20), (60, -20))
    desk.drag((-60, 20), (60, 20))
    theirs(desk)
    desk.page.evaluate("() => model.release()")
    desk.bridge.settle()
    both = desk.session.editing.classes
    assert (both[2:8, 2:8] == 2).all()
    assert (both == 1).sum() > 100
    assert desk.state() == "saved"
    # and this browser shows it: the next stroke is drawn upon it
    theirs(desk, 0)
    desk.bridge.push()
    desk.drag((-60, 60), (60, 60))
    desk.bridge.settle()
    now = desk.session.editing.classes
    assert (now[2:8, 2:8] == 0).all()
    assert ((now == 1) >= (both == 1)).all()
    shown = "() => new Promise((take) => document.querySelector('.sw-editor')"
    shown += ".addEventListener('sw-stroke', (e) => take([...e.detail.data]), { once: true }))"
    waiting = desk.page.evaluate_handle(f"() => ({{ it: ({shown})() }})")
    desk.drag((-60, 100), (60, 100))
    on_stage = waiting.evaluate("(each) => each.it")
    desk.bridge.settle()
    assert (np.reshape(on_stage, now.shape) == desk.session.editing.classes).all()


def test_a_stroke_that_was_refused_by_the_disk_is_joined_with_what_came_meanwhile(desk):
    desk.session.full = True
    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    assert desk.state() == "failed"
    desk.session.full = False
    theirs(desk)
    desk.page.get_by_role("button", name="Save again").click()
    desk.bridge.settle()
    now = desk.session.editing.classes
    assert (now[2:8, 2:8] == 2).all()
    assert (now == 1).any()
    assert len(desk.strokes) == 2  # theirs and this one, which the kernel had
    assert desk.state() == "saved"


def test_news_that_leave_the_map_as_it_is_leave_the_stroke_alone(desk):
    desk.pointer("pointerdown", -60, 0)
    desk.pointer("pointermove", 0, 0)
    desk.session.predictions += 1
    desk.bridge.view.info = {**desk.bridge.view.info, "strokes": 7}
    desk.bridge.push()
    desk.pointer("pointerup", 0, 0, buttons=0)
    desk.bridge.settle()
    assert len(desk.strokes) == 1


def test_a_palm_beside_the_pen_draws_nothing(desk):
    pen, palm = {"pointerId": 5, "pointerType": "pen"}, {"pointerId": 9, "pointerType": "touch"}
    desk.pointer("pointerdown", -100, 40, **pen)
    desk.pointer("pointermove", -90, 40, **pen)
    desk.pointer("pointerdown", 120, -90, **palm)
    desk.pointer("pointermove", 121, -91, **palm)
    desk.pointer("pointermove", -70, 40, **pen)
    desk.pointer("pointerup", 121, -91, **palm, buttons=0)
    desk.pointer("pointerup", -70, 40, **pen, buttons=0)
    desk.bridge.settle()
    (drawn,) = desk.strokes
    rows, columns = np.nonzero(drawn)
    assert np.ptp(rows) < 4
    assert columns.max() < 32


def test_the_other_end_of_a_pen_erases_and_leaves_the_chosen_tool(desk):
    pen = {"pointerId": 5, "pointerType": "pen"}
    eraser = {**pen, "button": 5, "buttons": 32}

    def tool() -> str:
        pressed = desk.page.locator(".sw-editor-tools > button[aria-pressed=true]")
        return str(pressed.inner_text()).split("\n")[0]

    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    desk.page.keyboard.press("g")  # scribbles
    desk.drag((-60, -60), (60, -60))
    chosen = tool()
    desk.pointer("pointerdown", -60, 0, **eraser)
    assert tool().startswith("Eraser")
    desk.pointer("pointermove", 0, 0, **{**eraser, "button": -1})
    desk.pointer("pointerup", 0, 0, **{**eraser, "buttons": 0})
    desk.bridge.settle()
    first, second = desk.strokes
    assert 0 < (second > 0).sum() < (first > 0).sum()
    assert desk.session.entries[-1][4]["tool"] == "eraser"
    assert tool() == chosen
    # also where it is taken away, and what was scribbled stays
    desk.pointer("pointerdown", -60, 0, **eraser)
    desk.pointer("pointercancel", -60, 0, **{**eraser, "buttons": 0})
    assert tool() == chosen
    assert len(desk.strokes) == 2
    desk.page.keyboard.press("g")
    desk.bridge.settle()
    assert [call[1] for call in desk.session.calls if call[0] == "apply_tool"] == ["scribbles"]


def test_a_button_that_was_lifted_unseen_ends_the_stroke(desk):
    desk.pointer("pointerdown", -100, -60)
    desk.pointer("pointermove", -80, -60)
    desk.pointer("pointermove", 0, 0, buttons=0)
    desk.pointer("pointermove", 100, 60, buttons=0)
    desk.bridge.settle()
    (drawn,) = desk.strokes
    assert np.nonzero(drawn)[0].max() < 32
    desk.pointer("pointerdown", 0, 60)
    desk.pointer("pointermove", 60, 60)
    desk.pointer("lostpointercapture", 60, 60)
    desk.bridge.settle()
    assert len(desk.strokes) == 2
    desk.pointer("pointerdown", -60, 90)
    desk.pointer("pointermove", 0, 90)
    desk.pointer("pointerdown", 0, 90)  # pressed again, and never seen to be lifted
    desk.pointer("pointerup", 0, 90, buttons=0)
    desk.bridge.settle()
    assert len(desk.strokes) == 3


def test_a_polygon_whose_pen_was_taken_away_follows_it_no_more(desk):
    pen = {"pointerId": 5, "pointerType": "pen"}
    desk.page.keyboard.press("p")
    desk.pointer("pointerdown", -50, -20, **pen)
    desk.pointer("pointermove", -40, -20, **pen)
    desk.pointer("pointercancel", -40, -20, **pen, buttons=0)
    points = "() => document.querySelector('.sw-editor-line').getAttribute('points')"
    before = desk.page.evaluate(points).split()
    for i in range(6):
        desk.pointer("pointermove", -40 + 10 * i, -20 + 10 * (i % 2), **pen, buttons=0)
    assert len(desk.page.evaluate(points).split()) <= len(before) + 1


def test_fast_strokes_are_all_taken_while_the_kernel_answers(desk):
    for i in range(12):
        desk.drag((-60, -60 + 10 * i), (60, -60 + 10 * i))
    desk.bridge.settle()
    assert len(desk.strokes) == 12


def test_every_undo_of_a_fast_hand_is_done(desk):
    for i in range(5):
        desk.drag((-60, -60 + 20 * i), (60, -60 + 20 * i))
    desk.bridge.settle()
    for _ in range(4):
        desk.page.keyboard.press("z")
    desk.bridge.settle()
    desk.bridge.settle()
    assert [entry[0] for entry in desk.session.entries].count("undo") == 4
    assert (desk.session.editing.classes == desk.strokes[0]).all()


def test_no_stroke_begins_while_one_is_not_saved_for_long(desk):
    desk.page.evaluate("() => { model.held = true; }")
    desk.drag((-60, -60), (60, -60))
    desk.drag((-60, -40), (60, -40))
    desk.page.wait_for_timeout(1200)
    desk.drag((-60, 0), (60, 0))
    assert "until the last stroke is saved" in desk.words()
    desk.page.evaluate("() => model.release()")
    desk.bridge.settle()
    assert len(desk.strokes) == 2
    assert desk.page.locator(".sw-editor-words").is_hidden()
    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    assert len(desk.strokes) == 3


def test_what_the_disk_refused_is_saved_again_without_another_stroke(desk):
    desk.session.full = True
    desk.drag((-60, -60), (60, -60))
    desk.bridge.settle()
    assert desk.state() == "failed"
    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    assert len(desk.strokes) == 1
    assert "until the last stroke is saved" in desk.words()
    desk.session.full = False
    desk.page.get_by_role("button", name="Save again").click()
    desk.bridge.settle()
    assert desk.state() == "saved"
    assert len(desk.strokes) == 1
    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    assert len(desk.strokes) == 2


def test_time_stays_with_the_slice_on_which_it_was_spent(desk):
    def work() -> None:
        for i in range(10):
            desk.pointer("pointermove", i, 0, buttons=0)
            desk.page.wait_for_timeout(100)

    def seconds() -> float:
        return float(desk.session.entries[-1][4]["active_seconds"])

    first = desk.session.editing.row
    work()
    desk.page.keyboard.press("n")
    desk.bridge.settle()
    assert desk.session.editing.row != first
    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    assert seconds() < 0.8
    desk.page.keyboard.press("Shift+N")
    desk.bridge.settle()
    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    assert desk.session.entries[-1][1] == first
    assert seconds() > 0.9


#: Lets a test turn the clock of the page.
CLOCK = """() => {
  const now = performance.now.bind(performance);
  window.later = 0;
  performance.now = () => now() + window.later;
}"""


def test_a_window_without_the_focus_counts_no_work(desk):
    desk.page.evaluate(CLOCK)

    def wait(seconds: float) -> None:
        desk.page.evaluate("(s) => { window.later += 1000 * s; }", seconds)

    def focus(on: bool) -> None:
        desk.page.evaluate(
            """(on) => {
              document.hasFocus = () => on;
              window.dispatchEvent(new Event(on ? "focus" : "blur"));
            }""",
            on,
        )

    desk.drag((0, 0), (30, 0))
    desk.bridge.settle()
    wait(4)  # looking at it, then to another window
    focus(False)
    for i in range(6):
        wait(5)
        desk.pointer("pointermove", i, 50, buttons=0)  # on the way to a third one
    wait(8)
    focus(True)
    wait(3)
    desk.drag((0, 20), (30, 20))
    desk.bridge.settle()
    assert desk.session.entries[-1][4]["active_seconds"] == pytest.approx(7, abs=2)


def test_work_with_the_mouse_beside_the_stage_counts_as_work(desk):
    desk.page.evaluate(CLOCK)
    desk.drag((0, 0), (30, 0))
    desk.bridge.settle()
    for label in range(6):
        desk.page.evaluate("() => { window.later += 5000; }")
        desk.page.locator(".sw-editor-labels button").nth(1 + label % 3).click()
    desk.page.evaluate("() => { window.later += 60000; }")  # away
    desk.drag((0, 20), (30, 20))
    desk.bridge.settle()
    assert desk.session.entries[-1][4]["active_seconds"] == pytest.approx(30, abs=4)


def test_keys_go_to_the_stage_after_a_choice_beside_it(desk):
    on_stage = "() => document.activeElement.classList.contains('sw-editor-mask')"
    desk.page.get_by_role("button", name="Neighbors").click()
    desk.page.get_by_role("button", name="Interpolate between them").click()
    desk.bridge.settle()
    assert desk.page.evaluate(on_stage)
    desk.page.keyboard.press("e")
    assert desk.page.get_by_role("button", name="Eraser").get_attribute("aria-pressed") == "true"
    desk.page.get_by_role("button", name="Start over").click()
    desk.page.get_by_role("button", name="From nothing").click()
    desk.bridge.settle()
    assert desk.page.evaluate(on_stage)
    desk.page.get_by_role("tab", name="Cases").click()
    desk.page.locator(".sw-editor-task").nth(3).focus()
    desk.page.keyboard.press("Enter")
    desk.bridge.settle()
    assert desk.page.locator(".sw-editor-banner").is_visible()
    assert desk.page.evaluate(on_stage)
    desk.page.keyboard.press("Escape")
    desk.bridge.settle()
    assert desk.page.locator(".sw-editor-banner").is_hidden()


def test_zooming_out_makes_a_slice_of_long_pixels_smaller(desk):
    desk.session.images.spacing[:, 1:] = [5.0, 1.0]
    desk.page.keyboard.press("n")
    desk.bridge.settle()

    def radius() -> float:
        desk.pointer("pointermove", 1, 1, buttons=0)
        ring = desk.page.locator(".sw-editor-ring")
        return float(ring.get_attribute("rx"))

    desk.page.keyboard.press("r")
    seen = [radius()]
    for _ in range(3):
        desk.page.keyboard.press("-")
        seen.append(radius())
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < seen[0]
