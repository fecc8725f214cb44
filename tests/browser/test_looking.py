"""What the editor shows: borders of superpixels, contours of many classes, window and level."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.browser.bridge import Bridge, bridged
from tests.browser.test_strokes import Desk
from tests.widgets.fake_annotating import FakeAnnotating
from widgets.mask_editor import MaskEditor

pytestmark = pytest.mark.browser

#: The pixels of a canvas of the page, and how wide it is.
PIXELS = """(node) => {
  const { data, width } = node.getContext("2d").getImageData(0, 0, node.width, node.height);
  return [[...data], width];
}"""
#: Counts the lines that are added to any path from now on.
COUNT_LINES = """() => {
  window.lines = 0;
  for (const kind of [Path2D, CanvasRenderingContext2D, OffscreenCanvasRenderingContext2D]) {
    const own = kind.prototype.lineTo;
    kind.prototype.lineTo = function (...at) { window.lines += 1; return own.apply(this, at); };
  }
}"""


@pytest.fixture
def desk() -> Iterator[Desk]:
    session = FakeAnnotating(n=240, cases=8)
    with bridged() as page:
        desk = Desk(Bridge(MaskEditor(session), page), session)
        yield desk
        assert desk.bridge.errors == []


def pixels(desk: Desk, canvas: str) -> np.ndarray:
    data, width = desk.page.locator(canvas).first.evaluate(PIXELS)
    return np.array(data, np.uint8).reshape(-1, width, 4)


def test_borders_of_superpixels_are_built_once_and_move_with_the_picture(desk):
    plain = pixels(desk, ".sw-editor-picture")
    desk.page.keyboard.press("x")
    desk.bridge.settle()
    parted = pixels(desk, ".sw-editor-picture")
    lines = (parted[..., 0].astype(int) - plain[..., 0]) > 20
    assert lines.mean() > 0.02
    assert lines.mean() < 0.4
    desk.page.evaluate(COUNT_LINES)
    desk.pointer("pointerdown", 0, 0, button=1, buttons=4)
    for step in range(1, 5):
        desk.pointer("pointermove", 5 * step, 3 * step, button=-1, buttons=4)
    desk.pointer("pointerup", 20, 12, button=1, buttons=0)
    assert desk.page.evaluate("() => window.lines") == 0
    moved = pixels(desk, ".sw-editor-picture")
    assert (moved[12:, 20:] == parted[:-12, :-20]).all()
    # another parting has other borders
    desk.page.get_by_label("Pixels along a side").fill("16")
    desk.bridge.settle()
    assert desk.page.evaluate("() => window.lines") > 0
    wider = pixels(desk, ".sw-editor-picture")
    assert (wider != moved).any()
