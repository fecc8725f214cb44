"""Answers of the editor: each is given once, to the slice that it was meant for."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytestmark = pytest.mark.browser


def test_a_double_click_on_done_answers_one_slice(desk):
    desk.page.locator(".sw-editor-answers .sw-primary").dblclick()
    desk.bridge.settle()
    assert [task.state for task in desk.session.queue].count("done") == 1
    desk.page.locator(".sw-editor-answers .sw-primary").click(delay=0)
    desk.bridge.settle()
    desk.page.wait_for_timeout(600)
    desk.page.locator(".sw-editor-answers .sw-primary").click()
    desk.bridge.settle()
    assert [task.state for task in desk.session.queue].count("done") >= 2  # not for ever


def test_two_presses_before_the_answer_comes_answer_one_slice(desk):
    desk.page.evaluate("() => { model.held = true; }")
    desk.page.keyboard.press("d")
    desk.page.keyboard.press("d")
    desk.page.keyboard.press("n")
    desk.page.evaluate("() => model.release()")
    desk.bridge.settle()
    assert desk.bridge.sent()[-1:] == ["answer"]
    assert [task.state for task in desk.session.queue].count("done") == 1


def test_a_key_that_is_held_answers_once(desk):
    desk.page.locator(".sw-editor-mask").focus()
    for _ in range(4):
        desk.page.keyboard.down("d")
        desk.bridge.settle()
    desk.page.keyboard.up("d")
    assert [task.state for task in desk.session.queue].count("done") == 1


def test_what_is_still_predicted_can_be_put_aside_and_not_be_done(desk):
    row = desk.session.editing.row
    desk.session.editing = replace(desk.session.editing, awaited="The model is predicting it.")
    desk.bridge.push()
    assert desk.page.get_by_role("button", name="Done").is_disabled()
    desk.page.keyboard.press("d")
    desk.page.keyboard.press("u")
    desk.bridge.settle()
    assert [entry[:2] for entry in desk.session.entries] == [("unsure", row)]
    desk.session.editing = replace(desk.session.editing, awaited="The model is predicting it.")
    desk.bridge.push()
    desk.page.keyboard.press("s")
    desk.page.get_by_role("button", name="Skip it").click()
    desk.bridge.settle()
    assert desk.session.entries[-1][0] == "skipped"


def test_the_reason_of_a_skip_waits_for_what_was_asked_before_and_loses_no_word(desk):
    typed = desk.page.get_by_placeholder("in your own words")
    confirm = desk.page.get_by_role("button", name="Skip it")
    first = desk.session.editing.row
    desk.drag((-60, 0), (60, 0))
    desk.bridge.settle()
    desk.page.evaluate("() => { model.held = true; }")
    desk.page.keyboard.press("z")  # on its way when the skip is confirmed
    desk.page.keyboard.press("s")
    typed.fill("motion <b>")
    desk.page.get_by_label("Unusable").check()
    confirm.click()
    assert "still on its way" in desk.page.locator(".sw-editor-hold").inner_text()
    assert typed.input_value() == "motion <b>"
    desk.page.evaluate("() => model.release()")
    desk.bridge.settle()
    assert [entry[0] for entry in desk.session.entries] == ["stroke", "undo"]
    confirm.click()
    desk.bridge.settle()
    assert not desk.page.locator(".sw-editor-skip").is_visible()
    kind, row, *_, told = desk.session.entries[-1]
    assert (kind, row) == ("skipped", first)
    assert told["note"].startswith("Unusable")
    assert told["note"].endswith(": motion <b>")
    desk.page.keyboard.press("s")
    assert typed.input_value() == "", "another slice has another reason"
    assert not desk.page.get_by_label("Unusable").is_checked()


def test_what_was_typed_for_a_skip_is_still_there_after_cancel(desk):
    desk.page.keyboard.press("s")
    typed = desk.page.get_by_placeholder("in your own words")
    typed.fill("motion")
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("s")
    assert typed.input_value() == "motion"


def test_a_skip_is_of_the_slice_that_its_dialog_names(desk):
    queue = [task.row for task in desk.session.queue]
    desk.page.evaluate("() => { model.held = true; }")
    desk.page.keyboard.press("n")
    desk.page.keyboard.press("s")
    named = desk.page.locator(".sw-editor-skip h3").inner_text()
    desk.page.evaluate("() => model.release()")
    desk.bridge.settle()
    confirm = desk.page.get_by_role("button", name="Skip it")
    confirm.click()
    desk.bridge.settle()
    assert desk.session.entries == []
    assert desk.page.locator(".sw-editor-skip h3").inner_text() != named
    assert "Another one was opened" in desk.page.locator(".sw-editor-hold").inner_text()
    confirm.click()
    desk.bridge.settle()
    assert desk.session.entries[-1][:2] == ("skipped", queue[1])


def test_what_others_answered_stands_under_the_slice_as_text(desk):
    told = "<img src=x onerror=alert(1)> answered done: 132 pixels differ."
    assert desk.page.locator(".sw-editor-others").is_hidden()
    desk.session.editing = replace(desk.session.editing, others=told)
    desk.bridge.push()
    assert desk.page.locator(".sw-editor-others").inner_text() == told
    assert desk.page.locator(".sw-editor-words").is_hidden()
    assert desk.page.locator(".sw-editor img").count() == 0


def test_answers_that_differ_are_marked_in_the_queue_for_eyes_and_screen_readers(desk):
    marked = desk.page.locator(".sw-editor-list").get_by_role("button", name="answers differ")
    assert marked.count() == 0
    first, *others = desk.session.queue
    desk.session.queue = (replace(first, annotators=("ada", "Ben"), differs=True), *others)
    desk.bridge.push()
    assert marked.count() == 1
    assert "≠ answers differ" in marked.inner_text()
    assert "training uses the last" in marked.get_attribute("title")
