"""Copying neighbors and starting over: chosen, never met by chance, by mouse and keys alike."""

from __future__ import annotations

import pytest

from tests.browser.desk import Desk

pytestmark = pytest.mark.browser

FOCUSED = "() => document.activeElement.textContent"


def done(desk: Desk) -> list[tuple]:
    """What was asked of the session since the last time."""
    desk.bridge.settle()
    found = [call[1:] for call in desk.session.calls if call[0] in ("apply_tool", "edit")]
    desk.session.calls.clear()
    return found


def test_arrow_keys_alone_neither_copy_nor_start_over(desk):
    row = desk.session.editing.row
    done(desk)
    for menu in ("Neighbors", "Start over"):
        desk.page.get_by_role("button", name=menu).focus()
        desk.page.keyboard.press("ArrowDown")
        desk.page.keyboard.press("Enter")
        for key in ("ArrowDown", "ArrowUp", "ArrowDown"):
            desk.page.keyboard.press(key)
        assert done(desk) == []
        desk.page.keyboard.press("Escape")
        assert desk.page.evaluate(FOCUSED).startswith(menu)
        assert done(desk) == []
    # and with Enter each is reached
    for downs, wish in enumerate([{"side": "before"}, {"side": "after"}, {}]):
        desk.page.get_by_role("button", name="Neighbors").focus()
        desk.page.keyboard.press("Enter")
        for _ in range(downs):
            desk.page.keyboard.press("ArrowDown")
        desk.page.keyboard.press("Enter")
        assert done(desk) == [("copy" if wish else "interpolate", wish)]
    desk.page.get_by_role("button", name="Start over").focus()
    desk.page.keyboard.press("Space")
    assert desk.page.evaluate(FOCUSED) == "From the prediction"
    desk.page.keyboard.press("ArrowUp")
    assert desk.page.evaluate(FOCUSED) == "From nothing"
    desk.page.keyboard.press("Enter")
    assert done(desk) == [(row, 0, "empty")]
    assert desk.page.evaluate("() => document.activeElement.className") == "sw-editor-mask"


def test_copies_and_interpolation_have_keys_that_the_help_lists(desk):
    done(desk)
    for key, call in {
        "v": ("copy", {"side": "before"}),
        "Shift+V": ("copy", {"side": "after"}),
        "m": ("interpolate", {}),
    }.items():
        desk.page.keyboard.press(key)
        assert done(desk) == [call]
    desk.page.keyboard.press("?")
    assert "V, Shift+V, M" in desk.page.locator(".sw-editor-help").inner_text()


@pytest.mark.parametrize("width", [1150, 560, 320])
def test_all_of_an_open_menu_is_seen_at_any_width(desk, width):
    desk.page.set_viewport_size({"width": width + 20, "height": 760})
    desk.page.evaluate("(w) => { document.getElementById('place').style.width = `${w}px`; }", width)
    desk.bridge.settle()
    for menu, count in (("Neighbors", 3), ("Start over", 3)):
        desk.page.get_by_role("button", name=menu).click()
        choices = desk.page.locator(".sw-editor-choices:popover-open button")
        assert choices.count() == count
        for choice in choices.all():
            box = choice.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width + 20
            assert choice.evaluate("(node) => node.scrollWidth <= node.clientWidth")
            assert choice.evaluate(
                """(node) => {
                  const { left, right, top, bottom } = node.getBoundingClientRect();
                  return [[left + 2, top + 2], [right - 2, bottom - 2]]
                    .every(([x, y]) => node.contains(document.elementFromPoint(x, y)));
                }"""
            )
        desk.page.keyboard.press("Escape")
