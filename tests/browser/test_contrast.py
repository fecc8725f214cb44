"""Text of the editor can be read in each of JupyterLab's own themes (WCAG AA: 4.5 to 1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyterlab.commands import get_app_dir

from tests.browser.bridge import Bridge, bridged
from tests.browser.desk import Desk
from tests.widgets.fake_annotating import FakeAnnotating
from widgets.mask_editor import MaskEditor

pytestmark = pytest.mark.browser

#: Every text that is seen and can be used, with its contrast, where that is below 4.5.
FAINT = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const paint = (color, opacity) => {
    canvas.globalAlpha = opacity;
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const node of document.querySelectorAll(".sw-editor *")) {
    const words = [...node.childNodes].filter((each) => each.nodeType === 3);
    const text = words.map((each) => each.data.trim()).join("");
    if (!text || !node.checkVisibility() || node.matches(":disabled, :disabled *")) continue;
    const chain = [];
    for (let each = node; each; each = each.parentElement) chain.unshift(getComputedStyle(each));
    paint("#fff", 1);
    let behind = [];
    for (const style of chain) behind = paint(style.backgroundColor, 1);
    const opacity = chain.reduce((all, style) => all * Number(style.opacity), 1);
    const ink = paint(chain.at(-1).color, opacity);
    const [a, b] = [luminance(ink), luminance(behind)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push([text, contrast]);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
def test_all_text_of_the_editor_can_be_read(theme):
    css = Path(get_app_dir()) / "themes" / "@jupyterlab" / f"theme-{theme}-extension" / "index.css"
    session = FakeAnnotating(n=240, cases=8)
    with bridged() as page:
        desk = Desk(Bridge(MaskEditor(session), page), session)
        page.add_style_tag(content=css.read_text(encoding="utf-8"))
        light = "true" if theme == "light" else "false"
        page.evaluate("(is) => document.body.setAttribute('data-jp-theme-light', is)", light)
        page.add_style_tag(content="* { transition: none !important; }")
        page.get_by_role("button", name="Neighbors").click()
        assert page.evaluate(FAINT) == []
        page.keyboard.press("Escape")
        page.keyboard.press("d")
        desk.bridge.settle()
        page.locator(".sw-editor-task[data-state=done]").click()  # what is done is current
        desk.bridge.settle()
        session.full = True
        desk.drag((0, 0), (30, 0))
        desk.bridge.settle()
        assert desk.words() == "The disk is full."
        assert page.evaluate(FAINT) == []
        session.full = False
        page.get_by_role("tab", name="Cases").click()
        page.keyboard.press("?")
        page.wait_for_timeout(100)
        assert page.evaluate(FAINT) == []
        assert desk.bridge.errors == []
