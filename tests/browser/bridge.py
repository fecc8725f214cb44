"""A view in a browser without JupyterLab: its script on a page, its Python here.

What the script sends reaches the view at once, or waits where a test says so; what the view says
goes back with the traits that changed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.browser.find_browser import find_browser
from tests.browser.lab import FLAGS
from widgets.view import View

MODEL = """
const decoded = (value) => {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(decoded);
  if (value.bytes === undefined) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, decoded(each)]));
  }
  return new DataView(Uint8Array.from(atob(value.bytes), (each) => each.charCodeAt(0)).buffer);
};
class Model {
  constructor(state) {
    this.state = decoded(state);
    Object.assign(this, { handlers: {}, sent: [], waiting: [] });
  }
  get(key) { return this.state[key]; }
  on(name, handler) { (this.handlers[name] ??= new Set()).add(handler); }
  off(name, handler) { this.handlers[name]?.delete(handler); }
  emit(name, ...values) { for (const each of [...(this.handlers[name] ?? [])]) each(...values); }
  send(content, _callbacks, buffers = []) {
    const texts = buffers.map((each) => btoa(String.fromCharCode(...new Uint8Array(each))));
    this.sent.push(content);
    this.waiting.push([content, texts]);
    if (!this.held) this.release();
  }
  release() { // what waits is answered in order
    this.held = false;
    const messages = this.waiting.splice(0);
    this.chain = (this.chain ?? Promise.resolve()).then(async () => {
      for (const each of messages) this.take(await window.toPython(...each));
    });
  }
  take({ state, said }) {
    for (const [key, value] of Object.entries(state)) this.state[key] = decoded(value);
    for (const key of Object.keys(state)) this.emit(`change:${key}`);
    for (const each of said) this.emit("msg:custom", each, []);
  }
}
"""


def encoded(value: Any) -> Any:
    """Give a trait to the page as JSON; bytes as base64."""
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {key: encoded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(each) for each in value]
    return value.item() if hasattr(value, "item") else value


class Bridge:
    """A page that shows a view; `settle` waits until everything that was sent is answered."""

    def __init__(self, view: View, page: Page) -> None:
        self.view, self.page = view, page
        self.errors: list[str] = []
        self._said: list[Any] = []
        self._known: dict[str, str] = {}
        view.send = lambda content, buffers=None: self._said.append(content)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.expose_function("toPython", self._receive)
        page.set_content("<div id=place style='width: 1150px; height: 640px'></div>")
        page.add_style_tag(content=str(view._css))
        page.add_script_tag(content=str(view._esm).replace("export default", "window.shown ="))
        page.add_script_tag(content=MODEL)
        page.evaluate(
            """(state) => {
                window.model = new Model(state);
                shown.render({ model: window.model, el: document.getElementById("place") });
            }""",
            self._changes(),
        )
        self.settle()

    def _changes(self) -> dict[str, Any]:
        found = {
            name: encoded(getattr(self.view, name))
            for name in self.view.traits(sync=True)
            if not name.startswith("_") and name not in ("layout", "tabbable", "tooltip")
        }
        texts = {name: json.dumps(value, sort_keys=True) for name, value in found.items()}
        new = {name: found[name] for name in found if texts[name] != self._known.get(name)}
        self._known = texts
        return new

    def _receive(self, content: Any, texts: list[str]) -> dict[str, Any]:
        self._said.clear()
        self.view._receive(self.view, content, [memoryview(base64.b64decode(t)) for t in texts])
        return {"state": self._changes(), "said": list(self._said)}

    def push(self) -> None:
        """Show what was changed here, as another browser of the kernel would."""
        self.page.evaluate("(found) => model.take(found)", {"state": self._changes(), "said": []})
        self.page.wait_for_timeout(100)

    def settle(self) -> None:
        """Wait until all that was sent is answered and shown."""
        self.page.wait_for_timeout(150)
        self.page.evaluate("() => model.chain?.then(() => true)")
        self.page.wait_for_timeout(100)

    def sent(self) -> list[str]:
        """What a person asked for so far."""
        told = self.page.evaluate("() => model.sent.map((each) => each.do)")
        return [each for each in told if each not in ("visible", "catch_up")]


@contextmanager
def bridged() -> Iterator[Page]:
    """A page of a browser that was started for it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        try:
            yield chromium.new_page(viewport={"width": 1200, "height": 760})
        finally:
            chromium.close()
