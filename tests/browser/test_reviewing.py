"""The banner over a slice that is only looked at: its sources, by keyboard, with names as text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.browser.bridge import Bridge, bridged
from tests.widgets.fake_annotating import FakeAnnotating
from widgets.mask_editor import MaskEditor
from workbench.session.reviewing import Source

pytestmark = pytest.mark.browser

EVIL = '<img src=x onerror="window.harmed=1">' + " Ann" * 30
#: How many pixels of the stage's upper layer are painted.
PAINTED = """() => {
  const canvas = document.querySelector(".sw-editor-mask");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length;
}"""
#: Whether something of the banner is cut off, or lies outside of it.
CLIPPED = """() => {
  const banner = document.querySelector(".sw-editor-banner");
  const stage = document.querySelector(".sw-editor-stage").getBoundingClientRect();
  const seen = [...banner.querySelectorAll(":not(option)")].filter((node) => node.offsetParent);
  return [banner, ...seen].some((node) => {
    const box = node.getBoundingClientRect();
    const outside = box.left < stage.left || box.right > stage.right || box.bottom > stage.bottom;
    return outside || (node === banner && node.scrollWidth > node.clientWidth);
  });
}"""


@pytest.fixture
def review() -> Iterator[Bridge]:
    """The middle slice of the first case is looked at; somebody else has annotated it."""
    session = FakeAnnotating(n=240, cases=8)
    theirs = np.zeros((64, 64), np.uint8)
    theirs[1:3, 1:3] = 1
    with bridged() as page:
        bridge = Bridge(MaskEditor(session), page)
        session.others[bridge.view.cases[0]["row"], 0] = {EVIL: theirs}
        page.get_by_role("tab", name="Cases").click()
        page.locator(".sw-editor-list button").first.click()
        bridge.settle()
        yield bridge
        assert bridge.errors == []
        assert page.evaluate("() => window.harmed") is None


def test_sources_are_chosen_with_the_keyboard_and_the_choice_keeps_the_focus(review):
    page = review.page
    choice = page.get_by_label("Only looked at, shown with")
    assert choice.locator("option").all_inner_texts() == [
        "prediction",
        f"annotation by {EVIL}",
        "reference",
    ]
    predicted = page.evaluate(PAINTED)
    page.locator(".sw-editor-mask").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    review.settle()
    assert review.view.info["told"] == f"annotation by {EVIL}"
    assert 0 < page.evaluate(PAINTED) < predicted
    page.keyboard.press("ArrowDown")
    review.settle()
    assert review.view.info["told"] == "reference"
    assert page.evaluate(PAINTED) > predicted
    assert page.evaluate("() => document.activeElement.tagName") == "SELECT"
    assert choice.input_value() == review.view.info["chosen"]


def test_a_fast_hand_gets_what_it_chose_last(review):
    page = review.page
    page.get_by_label("Only looked at, shown with").focus()
    page.evaluate("() => { model.held = true; }")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.evaluate("() => model.release()")
    review.settle()
    assert review.view.info["told"] == "reference"
    assert page.get_by_label("Only looked at, shown with").input_value() == "reference -1 "


def test_where_there_is_nothing_to_choose_a_sentence_tells_what_is_shown(review):
    session, page = review.view.session, review.page
    session.sources = lambda row, depth=0: (Source("prediction", round=1),)
    session.known = lambda row, depth=0, source=None: (np.ones((64, 64), np.uint8), "prediction")
    page.locator(".sw-editor-list button").nth(1).click()
    review.settle()
    assert page.locator(".sw-editor-banner select").is_hidden()
    words = "Only looked at, shown with the prediction for round 1."
    assert words in page.locator(".sw-editor-banner").inner_text()


@pytest.mark.parametrize("width", [1150, 700, 360])
def test_nothing_of_the_banner_is_cut_off(review, width):
    page = review.page
    page.get_by_label("Only looked at, shown with").select_option(index=1)
    review.settle()
    page.evaluate(
        "(width) => { document.getElementById('place').style.width = `${width}px`; }", width
    )
    page.wait_for_timeout(200)
    assert not page.evaluate(CLIPPED)
