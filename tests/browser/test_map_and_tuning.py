"""The live map and the sliders under a real mouse and a real keyboard."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

CELL = """
from tests.widgets.fake import FakeSession
from widgets.latent_map import LatentMap
from widgets.tuning_panel import TuningPanel
import ipywidgets as w
session = FakeSession()
view = LatentMap(session)
view.layout = w.Layout(height="440px")
state = w.HTML()
def tell(_=None):
    rows = " ".join(str(r) for r in session.preview.suggestions.rows)
    preview = session.preview
    state.value = (
        f"<span id='state' data-picks='{rows}' data-exact='{preview.exact}'"
        f" data-current='{session.current}' data-alpha='{preview.shift.alpha}'"
        f" data-angle='{session.strategy.max_angle}' data-map='{session.map_name}'></span>"
    )
session.observe(tell, ["preview", "current", "map_name"])
tell()
w.VBox([view, TuningPanel(session), state])
"""


def kernel(page, name):
    return page.locator("#state").get_attribute(f"data-{name}")


def agree(page):
    """Wait until the drawn picks are those of the kernel; return them."""
    page.wait_for_function(
        "() => document.querySelector('.sw-map-overlay').dataset.picks"
        " === document.querySelector('#state').dataset.picks"
    )
    return kernel(page, "picks")


def test_map_and_sliders_answer_to_mouse_and_keyboard(lab, page):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    lab.write("map.ipynb", [CELL])
    lab.open(page, "map.ipynb")
    page.wait_for_selector(".sw-map[data-ready]")
    first = agree(page)

    # keys on the slider move alpha; the rest is exact
    alpha = page.get_by_role("slider", name="step α")
    alpha.scroll_into_view_if_needed()
    alpha.focus()
    before = float(kernel(page, "alpha"))
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(a) => Number(document.querySelector('#state').dataset.alpha) > 3 * a", arg=before
    )
    page.wait_for_selector("#state[data-exact=True]", state="attached")
    moved = agree(page)
    assert moved != first
    assert "picks changed" in page.locator(".sw-tune-line").inner_text()

    # the mouse drags the angle; a typed value is welcome; a double click resets
    angle = page.get_by_role("slider", name="cone half-angle θ")
    box = angle.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, y, steps=8)
    page.mouse.up()
    page.wait_for_function("() => Number(document.querySelector('#state').dataset.angle) < 20")
    agree(page)
    typed = page.get_by_label("Half-angle in degrees")
    typed.fill("45")
    typed.press("Enter")
    page.wait_for_function("() => Number(document.querySelector('#state').dataset.angle) === 45")
    angle.dblclick()
    page.wait_for_function("() => Number(document.querySelector('#state').dataset.angle) === 60")

    # the papers' setting is said to be a direction only
    page.get_by_role("button", name="paper").click()
    page.wait_for_function(
        "() => document.querySelector('.sw-map-note').textContent.includes('direction only')"
    )
    page.get_by_role("button", name="calibrate").click()
    page.wait_for_function("() => document.querySelector('.sw-map-note').hidden")

    # keys on the map move among suggestions, Enter inspects
    picks = agree(page).split()
    canvas = page.locator(".sw-map-overlay")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".sw-map-tip:not([hidden]) img")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "(row) => document.querySelector('#state').dataset.current === row", arg=picks[1]
    )

    # the mouse hovers, clicks, zooms and pans
    spot = canvas.bounding_box()
    x, y = spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=5)
    page.mouse.up()
    page.keyboard.press("0")
    drawn = page.locator(".sw-map-points").screenshot()
    assert len(drawn) > 5_000

    # a lasso lists what it holds; a row of the list is inspected
    page.get_by_role("button", name="Draw around points").click()
    page.mouse.move(x - 120, y - 90)
    page.mouse.down()
    for dx, dy in ((120, -90), (120, 90), (-120, 90)):
        page.mouse.move(x + dx, y + dy, steps=6)
    page.mouse.up()
    page.wait_for_selector(".sw-map-listing:not([hidden]) .sw-map-rows button")
    page.locator(".sw-map-rows button").first.click()
    page.wait_for_function(
        "(row) => document.querySelector('#state').dataset.current !== row", arg=picks[1]
    )
    page.keyboard.press("Escape")

    # another map
    page.get_by_role("tab", name="PCA").click()
    page.wait_for_selector("#state[data-map=PCA]", state="attached")
    agree(page)

    kept = os.environ.get("WORKBENCH_SCREENSHOTS")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(kept) / "map_and_tuning.png"))
    assert errors == []


def test_nothing_of_a_case_name_becomes_markup(lab, page):
    lab.write("names.ipynb", [
        CELL.replace("view = LatentMap(session)", """
from dataclasses import replace
evil = '<img src=x onerror="window.harmed=1">'
ids = tuple(replace(each, case=evil + each.case) for each in session.pool.ids)
session.pool = replace(session.pool, ids=ids)
session.values = {evil: session.values["Dice"]}
view = LatentMap(session)
view.color_by = evil
""")
    ])  # fmt: skip
    lab.open(page, "names.ipynb")
    page.wait_for_selector(".sw-map[data-ready]")
    page.locator(".sw-map-overlay").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".sw-map-tip:not([hidden]) img")
    assert "onerror" in page.locator(".sw-map-tip").inner_text()
    assert page.evaluate("() => window.harmed") is None


def ticks(page):
    """Photograph the points: equal bytes mean that the view has not moved."""
    return page.locator(".sw-map-points").screenshot()


def test_the_view_holds_sources_shifts_and_picks_and_fills_the_map(lab, page):
    lab.write("view.ipynb", [
        CELL.replace("view = LatentMap(session)", """
first = session.maps[session.map_name]
first.xy[0] = (60.0, 60.0)  # one stray point
view = LatentMap(session)
""")
    ])  # fmt: skip
    lab.open(page, "view.ipynb")
    page.wait_for_selector(".sw-map[data-ready]")
    agree(page)
    rest = page.locator(".sw-map-rest")
    assert "outside this view" in rest.inner_text()
    assert page.locator(".sw-map-note").is_hidden()  # no z' lies outside

    # what is dark is a point: nearly all of the height is used
    used = page.evaluate("""() => {
        const canvas = document.querySelector(".sw-map-points");
        const { width, height } = canvas;
        const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        let [top, bottom] = [height, 0];
        for (let y = 0; y < height; y += 1) {
            let dark = 0;
            for (let x = Math.round(0.1 * width); x < 0.8 * width; x += 1) {
                const i = 4 * (y * width + x);
                dark += Math.abs(data[i] - data[i + 2]) < 4 && data[i] < 200 && data[i] > 100;
            }
            if (dark > 12) { top = Math.min(top, y); bottom = Math.max(bottom, y); }
        }
        return (bottom - top) / height;
    }""")
    assert used > 0.6

    # a moved view stays where it was put; Reset brings the fitted one back
    fitted = ticks(page)
    page.locator(".sw-map-overlay").focus()
    page.keyboard.press("+")
    page.wait_for_timeout(200)
    assert ticks(page) != fitted
    assert rest.is_hidden()
    page.get_by_role("button", name="nearly all slices").click()
    page.wait_for_timeout(200)
    assert ticks(page) == fitted


def test_fingers_pan_pinch_and_tap(lab, page):
    lab.write("touch.ipynb", [CELL])
    lab.open(page, "touch.ipynb")
    page.wait_for_selector(".sw-map[data-ready]")
    agree(page)
    canvas = page.locator(".sw-map-overlay")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    browser = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(places)]
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(60)

    still = ticks(page)
    touch("touchStart", (x, y))
    for step in (10, 25, 40):
        touch("touchMove", (x + step, y))
    touch("touchEnd")
    panned = ticks(page)
    assert panned != still
    assert page.locator(".sw-map-listing").is_hidden()

    scale = page.evaluate("() => document.querySelector('.sw-map').dataset.scale")
    touch("touchStart", (x - 40, y))
    touch("touchStart", (x - 40, y), (x + 40, y))
    for apart in (60, 90, 120):
        touch("touchMove", (x - apart, y), (x + apart, y))
    touch("touchEnd", (x - 120, y))
    touch("touchEnd")
    zoomed = page.evaluate("() => document.querySelector('.sw-map').dataset.scale")
    assert float(zoomed) == pytest.approx(3 * float(scale), rel=0.1)

    # a tap inspects; the mouse and the keyboard still do what they did
    before = kernel(page, "current")
    page.keyboard.press("0")
    for share in (0.5, 0.42, 0.58, 0.35, 0.65):
        place = (box["x"] + share * box["width"], y)
        touch("touchStart", place)
        touch("touchEnd")
        page.wait_for_timeout(300)
        if kernel(page, "current") != before:
            break
    assert kernel(page, "current") != before
    fitted = page.evaluate("() => document.querySelector('.sw-map').dataset.scale")
    page.mouse.move(x, y)
    page.mouse.wheel(0, -200)
    page.wait_for_timeout(200)
    wheeled = page.evaluate("() => document.querySelector('.sw-map').dataset.scale")
    assert float(wheeled) > 1.2 * float(fitted)
