"""What a walk through the application is made of: open it, press, look, ask the kernel."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.lab import ROOT, Lab
from tests.experiments.tiny import tiny_config

ARTIFACTS = ROOT / "artifacts"

SETTINGS = {
    name: value
    for name, value in tiny_config().to_json().items()
    if name not in ("source", "strategy")
}
CELL = f"""from widgets import Workbench
app = Workbench("phantom", folder="run", **{SETTINGS!r})
app"""


@contextlib.contextmanager
def opened(base: Path, name: str, subshells: str, cache: Path | None = None) -> Iterator[Page]:
    """Run the application's cell in a JupyterLab of its own, with a cold cache if none is given."""
    kept = os.environ.get("WORKBENCH_TEST_CACHE", str(cache or base / "cache"))
    lab = Lab(base / name, {"WORKBENCH_CACHE": kept, "OMP_NUM_THREADS": "1"})
    settings = base / name / "settings" / "@jupyterlab" / "apputils-extension"
    (settings / "kernels-settings.jupyterlab-settings").write_text(
        json.dumps({"commsOverSubshells": subshells})
    )
    with lab, lab.browser(height=1100) as page:
        lab.write("walk.ipynb", [CELL])
        lab.open(page, "walk.ipynb")
        page.wait_for_selector(".sw-header button.sw-primary:visible")
        ARTIFACTS.mkdir(exist_ok=True)
        yield page


def kernel(page: Page, expression: str) -> Any:
    """Evaluate a Python expression in the kernel of the page."""
    code = f"import json; print(json.dumps({expression}))"
    text = page.evaluate(
        """async (code) => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const future = kernel.requestExecute({ code });
            let said = "";
            future.onIOPub = (message) => {
                if (message.header.msg_type === "stream") said += message.content.text;
                if (message.header.msg_type === "error") said += message.content.evalue;
            };
            await future.done;
            return said;
        }""",
        code,
    )
    return json.loads(text)


def drawn_picks(page: Page) -> list[int]:
    """Return the rows whose stars are drawn on the map, in their order."""
    return [int(row) for row in (drawn(page) or "").split()]


def drawn(page: Page) -> str | None:
    return page.locator(".sw-map canvas[data-picks]").get_attribute("data-picks")


def grey_point(page: Page) -> list[float]:
    """Find an unlabeled point on the map, in pixels from the map's corner."""
    found: list[float] = page.evaluate(
        """() => {
            const canvas = document.querySelector(".sw-map-points");
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const grey = (x, y) => {
                const [r, g, b] = data.slice(4 * (y * width + x), 4 * (y * width + x) + 3);
                return Math.abs(r - g) < 4 && Math.abs(g - b) < 4 && r > 120 && r < 215;
            };
            const disc = [-2, -1, 0, 1, 2].flatMap((j) => [-2, -1, 0, 1, 2].map((i) => [i, j]))
                .filter(([i, j]) => i * i + j * j < 5);
            for (let y = 40; y < height - 60; y += 1)
                for (let x = 40; x < width - 40; x += 1)
                    if (disc.every(([i, j]) => grey(x + i, y + j)))
                        return [x / devicePixelRatio, y / devicePixelRatio];
            return null;
        }"""
    )
    return found


def press_primary(page: Page, words: str) -> None:
    button = page.locator(".sw-header button.sw-primary:visible").first
    button.wait_for()
    assert words in button.inner_text()
    button.click()


def wait_for_button(page: Page, words: str, seconds: float = 120) -> None:
    page.locator(".sw-header button.sw-primary:visible", has_text=words).wait_for(
        timeout=1000 * seconds
    )


def wait_until_exact(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('[data-state=exact]')", timeout=30_000)


def shoot(page: Page, name: str) -> None:
    page.locator(".sw-frame").first.screenshot(path=ARTIFACTS / f"{name}.png")


def move_the_cone_beside_a_busy_cell(page: Page) -> bool:
    """Press two keys on the θ slider while a cell runs; tell whether the line followed."""
    page.evaluate(
        """(code) => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            window.busy = true;
            const future = kernel.requestExecute({ code });
            window.busyCell = future.done.then(() => { window.busy = false; return true; });
        }""",
        "import time; time.sleep(5)",
    )
    line = page.locator(".sw-tune-line")
    before = line.inner_text()
    angle = page.get_by_label("cone half-angle θ")
    angle.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1500)
    followed = line.inner_text() != before
    assert page.evaluate("() => window.busy"), "the cell must still be running"
    page.evaluate("() => window.busyCell")
    for _ in range(40):
        page.wait_for_timeout(250)
        if kernel(page, "app.session.strategy.max_angle") == 1.0:
            break
    assert kernel(page, "app.session.strategy.max_angle") == 1.0
    page.wait_for_timeout(800)
    assert drawn_picks(page) == kernel(page, "app.session.suggestions.rows.tolist()")
    return followed
