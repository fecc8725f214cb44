"""The editor by itself: names that nobody can trust, both themes, a narrow place."""

from __future__ import annotations

import pytest

from tests.browser.walking import ARTIFACTS, kernel

pytestmark = pytest.mark.browser

CELL = """
from dataclasses import replace
from tests.widgets.fake_annotating import FakeAnnotating
from widgets.mask_editor import MaskEditor
import ipywidgets as w
evil = '<img src=x onerror="window.harmed=1">'
session = FakeAnnotating()
session.labels.classes = ("background", evil, "edema", "enhancing")
ids = tuple(replace(each, case=evil + each.case) for each in session.pool.ids)
session.pool = replace(session.pool, ids=ids)
session.annotator = evil
view = MaskEditor(session)
view.layout = w.Layout(height="540px", width="980px")
view
"""


def test_names_stay_text_and_both_themes_and_a_narrow_place_show_all_of_the_editor(lab, page):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    lab.write("editor.ipynb", [CELL])
    lab.open(page, "editor.ipynb")
    page.get_by_role("button", name="Begin with the first").click()
    page.wait_for_selector(".sw-editor[data-ready$='edit']")
    page.keyboard.press("b")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.wait_for_selector(".sw-editor-saved[data-state=saved]:not(:empty)")
    assert "onerror" in page.locator(".sw-editor-head h3").inner_text()
    assert "onerror" in page.locator(".sw-editor-labels").inner_text()
    assert "onerror" in page.locator(".sw-editor-list").inner_text()
    page.get_by_role("tab", name="Cases").click()
    assert "onerror" in page.locator(".sw-editor-list").inner_text()
    assert page.evaluate("() => window.harmed") is None

    ARTIFACTS.mkdir(exist_ok=True)
    root = page.locator(".sw-editor")
    root.screenshot(path=ARTIFACTS / "editor-light.png")
    lab.theme(page, "JupyterLab Dark")
    root.screenshot(path=ARTIFACTS / "editor-dark.png")
    background = root.evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert max(int(part) for part in background[4:-1].split(",")[:3]) < 60

    # in a narrow place the stage comes first and nothing is cut off
    page.evaluate("() => { document.querySelector('.sw-editor-host').style.width = '520px'; }")
    page.wait_for_timeout(400)
    stage = page.locator(".sw-editor-stage").bounding_box()
    queue = page.locator(".sw-editor-queue").bounding_box()
    assert queue["y"] >= stage["y"] + stage["height"]
    assert stage["width"] > 480
    assert errors == []


def test_looking_closer_draws_nothing_and_what_cannot_be_saved_is_told_and_saved_again(lab, page):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    lab.write("closer.ipynb", [CELL])
    lab.open(page, "closer.ipynb")
    page.get_by_role("button", name="Begin with the first").click()
    page.wait_for_selector(".sw-editor[data-ready$='edit']")
    canvas = page.locator(".sw-editor-mask")
    lower = page.locator(".sw-editor-picture")
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def picture():
        return lower.evaluate("(node) => node.toDataURL()")

    seen = [picture()]
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    seen.append(picture())
    page.mouse.down(button="middle")
    page.mouse.move(x + 60, y + 20, steps=3)
    page.mouse.up(button="middle")
    seen.append(picture())
    canvas.focus()
    page.keyboard.down("Space")
    page.mouse.down()
    page.mouse.move(x - 30, y, steps=3)
    page.mouse.up()
    page.keyboard.up("Space")
    seen.append(picture())
    page.mouse.down(button="right")
    page.mouse.move(x + 60, y + 60, steps=3)
    page.mouse.up(button="right")
    seen.append(picture())
    page.keyboard.press("Alt+ArrowRight")
    seen.append(picture())
    assert len(set(seen)) == len(seen)  # each of them shows something else
    page.keyboard.press("r")
    page.wait_for_timeout(200)
    assert picture() == seen[0]
    assert kernel(page, "len(session.entries)") == 0

    kernel(page, "setattr(session, 'full', True)")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 5, steps=3)
    page.mouse.up()
    page.wait_for_selector(".sw-editor-saved[data-state=failed]")
    assert page.locator(".sw-editor-words").inner_text() == "The disk is full."
    page.locator(".sw-editor").screenshot(path=ARTIFACTS / "editor-full-disk.png")
    kernel(page, "setattr(session, 'full', False)")
    page.get_by_role("button", name="Save again").click()
    page.wait_for_selector(".sw-editor-saved[data-state=saved]")
    assert page.locator(".sw-editor-words").is_hidden()
    assert errors == []
