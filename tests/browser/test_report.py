"""The report as a reader opens it: one file, no network, a real browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.browser.find_browser import find_browser
from tests.browser.lab import FLAGS
from tests.notebooks.runs import small_run
from workbench.reports.page import write_page

pytestmark = pytest.mark.browser

#: Grey levels by which the pixels of a drawn figure differ at least; a blank one has 0.
DRAWN = 4.0


@pytest.fixture(scope="module")
def offline() -> Iterator[Page]:
    """A page without a network; what it asks for anyway is kept in ``page.asked``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        context = browser.new_context(viewport={"width": 1100, "height": 900}, offline=True)
        yield context.new_page()
        browser.close()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("01_workbench.ipynb", marks=pytest.mark.slow),
        "02_gradient_guided.ipynb",
        "03_compare_strategies.ipynb",
    ],
)
def test_a_report_draws_every_figure_without_a_network(
    name: str, offline: Page, tmp_path: Path
) -> None:
    run = small_run(name)
    report = tmp_path / "report.html"
    report.write_text(write_page(run.notebook, name=name, parameters={}), encoding="utf-8")
    asked: list[str] = []
    wrong: list[str] = []
    offline.on("request", lambda request: asked.append(request.url))
    offline.on("pageerror", lambda error: wrong.append(str(error)))
    offline.goto(report.as_uri())
    offline.wait_for_function("document.querySelectorAll('.main-svg').length > 0")
    offline.wait_for_timeout(500)

    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    figures = offline.locator(".figure")
    assert figures.count() == len(run.figures)
    blank = []
    for index in range(figures.count()):
        figures.nth(index).scroll_into_view_if_needed()
        picture = Image.open(io.BytesIO(figures.nth(index).screenshot())).convert("L")
        if np.asarray(picture, dtype=float).std() < DRAWN:
            blank.append(index)
    assert blank == []


def test_a_slider_of_a_report_moves_without_a_kernel(offline: Page, tmp_path: Path) -> None:
    run = small_run("02_gradient_guided.ipynb")
    report = tmp_path / "report.html"
    report.write_text(write_page(run.notebook, name="02", parameters={}), encoding="utf-8")
    offline.goto(report.as_uri())
    figure = offline.locator(".figure").filter(has_text="mask pushed by")
    figure.scroll_into_view_if_needed()
    title = figure.locator(".gtitle")
    before = title.text_content()
    handle = figure.locator(".slider-rail-touch-rect").bounding_box()
    assert handle is not None
    offline.mouse.click(handle["x"] + handle["width"] * 0.98, handle["y"] + handle["height"] / 2)
    offline.wait_for_timeout(500)
    after = title.text_content()
    assert before is not None
    assert after is not None
    assert before.startswith("Pushed by 4 pixels")
    assert after.startswith("Pushed by 12 pixels")


def test_a_comparison_follows_the_readers_colors_and_buttons(offline: Page) -> None:
    page = Path(small_run("03_compare_strategies.ipynb").parameters["page"])
    offline.emulate_media(color_scheme="dark")
    offline.goto(page.as_uri())
    figure = offline.locator(".figure").first
    paper = "getComputedStyle(document.querySelector('.figure .main-svg')).backgroundColor"
    offline.wait_for_function("document.querySelectorAll('.figure .main-svg').length > 0")
    assert offline.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert offline.evaluate(paper) == "rgb(13, 17, 23)"
    offline.emulate_media(color_scheme="light")
    offline.wait_for_function(f"{paper} === 'rgb(255, 255, 255)'")

    title = figure.locator(".xtitle")
    assert title.text_content() == "slices annotated"
    figure.locator(".updatemenu-button").filter(has_text="cases").click()
    offline.wait_for_function(
        "document.querySelector('.figure .xtitle').textContent.startsWith('cases')"
    )
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert offline.evaluate(wide) == 0
