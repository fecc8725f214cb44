"""Leafing through a volume with the slider, the wheel and the keys."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

CELL = """
from tests.widgets.fake_app import FakeVolumes
from widgets.inspector import Inspector
import ipywidgets as w
session = FakeVolumes(n=24, cases=24, m=4, labeled=8)
view = Inspector(session)
view.layout = w.Layout(height="440px", width="300px")
view
"""


def test_slider_wheel_and_keys_lead_through_a_volume(lab, page):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    lab.write("volumes.ipynb", [CELL])
    lab.open(page, "volumes.ipynb")
    caption = page.locator(".sw-inspector-caption").last
    shows = "(t) => [...document.querySelectorAll('.sw-inspector-caption')].pop().innerText === t"
    page.wait_for_function(shows, arg="slice 11")
    slider = page.get_by_role("slider", name="Slice of the volume")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(shows, arg="slice 12")
    assert slider.get_attribute("aria-valuetext") == "slice 12 of 20"

    picture = page.locator(".sw-inspector-tile").last
    picture.focus()
    page.keyboard.press("PageDown")
    page.wait_for_function(shows, arg="slice 11")
    picture.hover()
    page.mouse.wheel(0, -40)  # away from the person: upward
    page.wait_for_function(shows, arg="slice 12")

    page.get_by_label("uncertainty").check()
    page.wait_for_selector("text=0.20 variance over 5 dropout passes")
    assert caption.inner_text() == "slice 12"

    # the large picture takes slider and legend along, and gives them back
    picture.click()
    large = page.get_by_role("dialog")
    large.get_by_role("slider", name="Slice of the volume").focus()
    page.keyboard.press("End")
    page.wait_for_function(shows, arg="slice 20")
    page.keyboard.press("Escape")
    page.wait_for_selector(".sw-inspector-row .sw-inspector-depth")
    assert "slice 20 of 20" in page.locator(".sw-inspector-depth").inner_text()
    assert not errors
