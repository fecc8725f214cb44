"""What the editor shows: borders of superpixels, contours of many classes, window and level."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from tests.browser.bridge import Bridge, bridged
from tests.browser.desk import Desk
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


def test_neighbors_and_other_planes_follow_window_and_level(desk):
    desk.page.keyboard.press("o")
    desk.bridge.settle()

    def around() -> list[np.ndarray]:
        return [pixels(desk, f".sw-editor-{each} canvas") for each in ("tile", "planes")]

    seen = [around()]
    desk.page.locator(".sw-editor-mask").focus()
    desk.page.keyboard.press("Alt+ArrowUp")
    desk.bridge.settle()
    seen.append(around())
    desk.pointer("pointerdown", 0, 0, button=2, buttons=2)
    desk.pointer("pointermove", 60, 30, button=-1, buttons=2)
    desk.pointer("pointerup", 60, 30, button=2, buttons=0)
    desk.bridge.settle()
    seen.append(around())
    for before, after in pairwise(seen):
        assert all((a != b).any() for a, b in zip(before, after, strict=True))
    desk.page.keyboard.press("r")
    desk.bridge.settle()
    assert all((a == b).all() for a, b in zip(seen[0], around(), strict=True))
    # a hundred moves in one frame are one picture
    drawn = desk.page.evaluate(
        """() => new Promise((take) => requestAnimationFrame(() => {
          let count = 0;
          const own = CanvasRenderingContext2D.prototype.drawImage;
          CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            if (this.canvas.closest(".sw-editor-tile")) count += 1;
            return own.apply(this, given);
          };
          const stage = document.querySelector(".sw-editor-mask");
          const press = () => stage.dispatchEvent(
            new KeyboardEvent("keydown", { key: "ArrowUp", altKey: true, bubbles: true }));
          for (let i = 0; i < 100; i += 1) press();
          requestAnimationFrame(() => requestAnimationFrame(() => take(count)));
        }))"""
    )
    assert 1 <= drawn <= 2  # two neighbors


@pytest.fixture
def many() -> Iterator[Desk]:
    """A desk with 25 classes, four of them of one color, drawn as bars of one shape."""
    session = FakeAnnotating(n=240, cases=8)
    session.labels.classes = ("background", *(f"class {i}" for i in range(1, 26)))
    with bridged() as page:
        desk = Desk(Bridge(MaskEditor(session), page), session)
        drawn = np.zeros((64, 64), np.uint8)
        for row, value in BARS.items():
            drawn[row : row + 5, 4:60] = value
        session._states[session.editing.row + 1, 0] = ([drawn], 0)  # the slice after it
        session.draw(drawn, tool="brush")
        session.predictions += 1
        desk.bridge.push()
        page.keyboard.press("c")
        desk.bridge.settle()
        yield desk
        assert desk.bridge.errors == []


#: Upper row of a bar → its class.
BARS = {8: 1, 22: 8, 36: 15, 50: 22}


def test_classes_of_one_color_have_contours_of_their_own(many):
    styles = many.page.evaluate("() => model.get('classes')")
    assert len({styles[value]["color"] for value in BARS.values()}) == 1
    shown = pixels(many, ".sw-editor-mask")
    scale = shown.shape[0] / 64
    left = (shown.shape[1] - 64 * scale) / 2
    gaps = []
    for row in BARS:  # along its upper edge and its left one
        upper = shown[int(row * scale + 1), int(left + 5 * scale) : int(left + 59 * scale), 3] > 99
        side = shown[int((row + 0.3) * scale) : int((row + 4.7) * scale), int(left + 4 * scale + 1)]
        gaps.append((np.diff(upper.astype(int)) == -1).sum())
        assert (side[:, 3] < 99).any() == (row != 8)
    assert gaps[0] == 0
    assert min(np.diff(sorted(gaps))) > 5  # told apart at a glance
    legend = many.page.locator(".sw-editor-contour path")
    dashes = [legend.nth(value - 1).get_attribute("stroke-dasharray") for value in BARS.values()]
    assert dashes[0] is None
    assert len(set(dashes)) == 4
    assert many.page.locator(".sw-editor-contour").first.is_visible()


def test_a_stroke_leaves_the_dashes_of_contours_where_they_are(many):
    before = pixels(many, ".sw-editor-mask")
    many.drag((-60, 40), (40, -90))  # across three bars
    many.bridge.settle()
    parts = pixels(many, ".sw-editor-mask")
    assert (parts != before).any()
    many.page.keyboard.press("h")
    many.page.keyboard.press("h")
    whole = pixels(many, ".sw-editor-mask")
    assert (np.abs(parts.astype(int) - whole).max(-1) > 8).mean() < 1e-4


def test_the_neighbors_outlines_have_the_dashes_of_their_classes(many):
    many.page.evaluate(
        """() => {
          window.dashes = new Set();
          const own = CanvasRenderingContext2D.prototype.setLineDash;
          CanvasRenderingContext2D.prototype.setLineDash = function (dash) {
            window.dashes.add(String(dash));
            return own.call(this, dash);
          };
        }"""
    )
    many.page.keyboard.press("r")
    many.bridge.settle()
    assert len(many.page.evaluate("() => [...window.dashes]")) >= 4
