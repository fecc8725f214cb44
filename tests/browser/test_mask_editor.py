"""The editor by itself: names that nobody can trust, both themes, a narrow place."""

from __future__ import annotations

import pytest

from tests.browser.walking import ARTIFACTS

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
