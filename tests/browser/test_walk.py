"""A person's walk through the workbench: real mouse, real keys, a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.walking import (
    drawn_picks,
    grey_point,
    kernel,
    move_the_cone_beside_a_busy_cell,
    opened,
    press_primary,
    shoot,
    wait_for_button,
    wait_until_exact,
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """JupyterLab as it comes: widget messages over a subshell."""
    with opened(tmp_path_factory.mktemp("walk"), "lab", "perCommTarget") as page:
        yield page


# The tests of this file are one walk; each begins where the one before it ended.


def test_one_button_trains_and_draws_the_kernels_picks(page):
    wait_for_button(page, "first suggestions")
    shoot(page, "walk-1-opened")
    press_primary(page, "first suggestions")
    wait_for_button(page, "Label these 3")
    page.wait_for_function(
        "() => (document.querySelector('canvas[data-picks]')?.dataset.picks || '').length > 0"
    )
    assert drawn_picks(page) == kernel(page, "app.session.suggestions.rows.tolist()")
    shoot(page, "walk-2-suggested")


def test_a_slider_key_changes_arrows_and_picks_in_kernel_and_picture_alike(page):
    before = kernel(page, "app.session.preview.shift.alpha")
    slider = page.get_by_label("step α")
    slider.scroll_into_view_if_needed()
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)
    wait_until_exact(page)
    assert kernel(page, "app.session.preview.shift.alpha") > 1.5 * before
    assert kernel(page, "app.session.preview.exact") is True
    assert drawn_picks(page) == kernel(page, "app.session.suggestions.rows.tolist()")
    angle = page.get_by_label("cone half-angle θ")
    angle.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(600)
    assert kernel(page, "app.session.strategy.max_angle") == 180.0
    assert drawn_picks(page) == kernel(page, "app.session.suggestions.rows.tolist()")
    shoot(page, "walk-3-tuned")


def test_the_map_follows_the_slider_while_a_cell_runs(page):
    assert move_the_cone_beside_a_busy_cell(page)
    page.keyboard.press("End")
    page.wait_for_timeout(800)


def test_a_click_on_the_map_opens_the_slice_in_the_inspector(page):
    canvas = page.locator(".sw-map canvas[data-picks]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    before = kernel(page, "app.session.current")
    x, y = grey_point(page)
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_timeout(600)
    row = kernel(page, "app.session.current")
    assert row != before
    name = kernel(page, "str(app.session.pool.ids[app.session.current])")
    page.wait_for_function(
        "(name) => document.querySelector('.sw-inspector').textContent.includes(name)",
        arg=name.split("/")[0],
    )
    assert page.locator(".sw-inspector canvas:visible").count() >= 1
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    assert kernel(page, "app.session.current in app.session.suggestions.rows") is True
    shoot(page, "walk-4-inspected")


def test_labels_and_the_next_round_extend_the_curve(page):
    asked = kernel(page, "app.session.suggestions.rows.tolist()")
    press_primary(page, "Label these")
    wait_for_button(page, "Start round 1")
    assert kernel(page, f"app.session.pool.labeled[{asked}].all().tolist()") is True
    press_primary(page, "Start round 1")
    wait_for_button(page, "Label these 3")
    assert kernel(page, "len(app.session.rounds)") == 2
    assert drawn_picks(page) == kernel(page, "app.session.suggestions.rows.tolist()")
    shoot(page, "walk-5-second-round")


def test_stop_ends_a_round_and_nothing_is_lost(page):
    change = "__import__('dataclasses').replace"
    longer = f"{change}(app.session.study.segmentation, min_steps=20_000)"
    kernel(
        page,
        f"app.session.__setattr__('study', {change}(app.session.study, segmentation={longer}))",
    )
    press_primary(page, "Label these")
    wait_for_button(page, "Start round 2")
    press_primary(page, "Start round 2")
    stop = page.locator(".sw-header-stop:visible")
    stop.wait_for()
    page.wait_for_timeout(1000)
    stop.click()
    wait_for_button(page, "Resume round 2", seconds=20)
    page.get_by_role("tab", name="Training").click()
    assert page.get_by_role("button", name="Resume", exact=True).is_enabled()
    page.get_by_role("tab", name="Map", exact=True).click()
    assert kernel(page, "len(app.session.rounds)") == 2
    assert kernel(page, "int(app.session.pool.labeled.sum())") == 10


def test_a_restarted_kernel_goes_on_where_it_was(page):
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    page.wait_for_timeout(1500)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    wait_for_button(page, "Start round 2", seconds=90)
    assert kernel(page, "int(app.session.pool.labeled.sum())") == 10
    assert kernel(page, "len(app.session.rounds)") == 2
    assert (Path(kernel(page, "str(app.session.folder.resolve())")) / "run.json").is_file()
