"""The editor on a page without JupyterLab, and the hands of a person."""

from __future__ import annotations

import numpy as np

from tests.browser.bridge import Bridge
from tests.widgets.fake_annotating import FakeAnnotating

#: Sends a pointer event to the stage, relative to its middle.
POINTER = """([kind, dx, dy, more]) => {
  const stage = document.querySelector(".sw-editor-mask");
  stage.setPointerCapture = () => {};
  const box = stage.getBoundingClientRect();
  stage.dispatchEvent(new PointerEvent(kind, {
    clientX: box.left + box.width / 2 + dx, clientY: box.top + box.height / 2 + dy,
    bubbles: true, cancelable: true, button: 0, buttons: 1, pointerId: 1, pointerType: "mouse",
    movementX: 1, movementY: 1, ...more,
  }));
}"""


class Desk:
    """The editor with an empty slice open, and the hands of a person."""

    def __init__(self, bridge: Bridge, session: FakeAnnotating) -> None:
        self.bridge, self.session, self.page = bridge, session, bridge.page
        self.page.get_by_role("button", name="Begin with the first").click()
        bridge.settle()
        session.edit(session.editing.row, start="empty")
        bridge.push()
        self.page.keyboard.press("1")

    def pointer(self, kind: str, dx: float, dy: float, **more: object) -> None:
        self.page.evaluate(POINTER, [kind, dx, dy, more])

    def drag(self, a: tuple[float, float], b: tuple[float, float]) -> None:
        self.pointer("pointerdown", *a)
        self.pointer("pointermove", *b)
        self.pointer("pointerup", *b, buttons=0)

    def words(self) -> str:
        return str(self.page.locator(".sw-editor-words").inner_text())

    def state(self) -> str | None:
        return self.page.locator(".sw-editor-saved").get_attribute("data-state")

    @property
    def strokes(self) -> list[np.ndarray]:
        return [entry[3] for entry in self.session.entries if entry[0] == "stroke"]
