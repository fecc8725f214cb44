"""A person annotates: real strokes in a real browser, a real session, a real ledger.

The tests of this file are one walk; each begins where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.test_painting import brushed
from tests.browser.walking import kernel, opened, press_primary, shoot, wait_for_button
from workbench.cohort.preprocess import as_slices, fit
from workbench.cohort.volumes import read_label, to_ras

pytestmark = pytest.mark.browser

#: The label map in the browser when a stroke ends, and what was saved since.
LISTEN = """() => {
  window.strokes = [];
  window.saved = 0;
  const root = document.querySelector(".sw-editor");
  root.addEventListener("sw-stroke", (event) => window.strokes.push([...event.detail.data]));
  root.addEventListener("sw-saved", () => { window.saved += 1; });
}"""
LEDGER = (
    "__import__('workbench.annotation').annotation"
    ".Ledger(app.session.folder / 'annotations.sqlite')"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    cache = tmp_path_factory.getbasetemp() / "cache"  # that of the other tests
    base = tmp_path_factory.mktemp("annotating")
    with opened(base, "lab", "perCommTarget", cache) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        press_primary(page, "first suggestions")
        wait_for_button(page, "Label these 3")
        page.get_by_role("tab", name="Annotate").click()
        yield page
        assert not errors


def drawn(page: Page) -> np.ndarray:
    """The label map in the browser after the last stroke."""
    height, width = kernel(page, "list(app.session.editing.classes.shape)")
    data = page.evaluate("() => window.strokes.at(-1)")
    return np.array(data, np.uint8).reshape(height, width)


def canvas(page: Page) -> np.ndarray:
    return np.array(kernel(page, "app.session.editing.classes.tolist()"), np.uint8)


def wait_for_canvas(page: Page, expected: np.ndarray) -> None:
    """Wait until the kernel has a label map."""
    for _ in range(40):
        if (canvas(page) == expected).all():
            return
        page.wait_for_timeout(250)
    raise AssertionError("the label map in the kernel did not become the expected one")


def ledger(page: Page) -> tuple[str, str, np.ndarray]:
    """Kind, tool and label map of the newest entry, read from the file by another connection."""
    page.evaluate("() => 0")
    found = kernel(
        page,
        f"(lambda e: [e.kind, e.tool, e.classes.tolist(), e.active_seconds, e.contour_mm])"
        f"((lambda l: l.read(l.last))({LEDGER}))",
    )
    return found[0], found[1], np.array(found[2], np.uint8)


def wait_until_saved(page: Page, strokes: int) -> None:
    page.wait_for_function("(n) => window.saved >= n", arg=strokes)


def wait_until_open(page: Page, row: int) -> None:
    page.wait_for_selector(f".sw-editor[data-ready='{row}/0/edit']", timeout=20_000)


def place(page: Page, column: float, row: float) -> tuple[float, float]:
    """Where on the screen a pixel's center is, while all of the slice is shown."""
    box = page.locator(".sw-editor-mask").bounding_box()
    height, width = kernel(page, "list(app.session.editing.classes.shape)")
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - scale * width) / 2
    top = box["y"] + (box["height"] - scale * height) / 2
    return left + (column + 0.5) * scale, top + (row + 0.5) * scale


def drag(page: Page, *pixels: tuple[float, float]) -> None:
    page.mouse.move(*place(page, *pixels[0]))
    page.mouse.down()
    for pixel in pixels[1:]:
        page.mouse.move(*place(page, *pixel))
    page.mouse.up()


def test_a_stroke_of_the_mouse_is_pixel_by_pixel_in_kernel_and_ledger(page):
    page.get_by_role("button", name="Begin with the first").click()
    row = kernel(page, "int(app.session.queue[0].row)")
    wait_until_open(page, row)
    page.evaluate(LISTEN)
    before = canvas(page)
    page.keyboard.press("2")
    drag(page, (8, 9), (40, 30), (40, 12))
    wait_until_saved(page, 1)
    expected = brushed(before, (8, 9), (40, 30), 3, (1, 1), 2)
    expected = brushed(expected, (40, 30), (40, 12), 3, (1, 1), 2)
    assert (drawn(page) == expected).all()
    assert (canvas(page) == expected).all()
    kind, tool, saved = ledger(page)
    assert (kind, tool) == ("stroke", "brush")
    assert (saved == expected).all()
    cost = "[app.session.editing.cost.contour_mm, app.session.editing.cost.active_seconds]"
    millimeters, seconds = kernel(page, cost)
    assert millimeters > 60
    assert 0 < seconds < 60
    assert page.locator(".sw-editor-saved").inner_text() == "saved"


def test_erase_polygon_and_fill_are_saved_as_they_were_drawn(page):
    page.keyboard.press("e")
    before = canvas(page)
    drag(page, (20, 16), (30, 24))
    wait_until_saved(page, 2)
    erased = brushed(before, (20, 16), (30, 24), 3, (1, 1), 0)
    assert (canvas(page) == erased).all()
    page.keyboard.press("p")
    page.keyboard.press("1")
    for corner in ((5, 40), (20, 40), (20, 55), (5, 55)):
        page.mouse.click(*place(page, *corner))
    page.mouse.dblclick(*place(page, 5, 55))
    wait_until_saved(page, 3)
    polygon = canvas(page)
    y, x = np.mgrid[: polygon.shape[0], : polygon.shape[1]]
    inside = (x > 5) & (x < 20) & (y > 40) & (y < 55)
    assert (polygon[inside] == 1).all()
    around = (x < 5) | (x > 20) | (y < 40) | (y > 55)
    assert (polygon[around] == erased[around]).all()
    page.keyboard.press("f")
    page.keyboard.press("2")
    page.mouse.click(*place(page, 12, 48))
    wait_until_saved(page, 4)
    kind, tool, saved = ledger(page)
    assert (kind, tool) == ("stroke", "fill")
    assert (saved == np.where(polygon == 1, 2, polygon))[inside].all()
    assert (saved == drawn(page)).all()


def test_undo_and_redo_go_through_every_stroke(page):
    last = canvas(page)
    for _ in range(2):
        strokes = kernel(page, "app.session.editing.number")
        page.keyboard.press("z")
        page.wait_for_function(
            "() => !document.querySelector('[aria-label=\"Redo (Shift+Z)\"]').disabled"
        )
        page.wait_for_timeout(300)
        assert kernel(page, "app.session.editing.number") == strokes + 1
    assert ledger(page)[0] == "undo"
    assert not (canvas(page) == last).all()
    page.keyboard.press("Shift+Z")
    page.wait_for_timeout(300)
    page.keyboard.press("Control+y")
    page.wait_for_function(
        "() => document.querySelector('[aria-label=\"Redo (Shift+Z)\"]').disabled"
    )
    assert ledger(page)[0] == "redo"
    assert (canvas(page) == last).all()
    shoot(page, "annotate-1-drawn")


def test_a_slice_is_annotated_with_the_keyboard_alone(page):
    before = canvas(page)
    page.locator(".sw-editor-mask").focus()
    page.keyboard.press("b")
    page.keyboard.press("1")
    page.keyboard.press("[")  # one pixel
    page.keyboard.press("ArrowUp")
    spoken = page.locator(".sw-editor [aria-live]").inner_text()
    start = [int(part.strip(" ,:").split()[-1]) - 1 for part in spoken.split(":")[0].split(",")]
    page.keyboard.press("Space")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Space")
    wait_until_saved(page, 5)
    x, y = start
    expected = before.copy()
    expected[y, x : x + 3] = 1
    expected[y : y + 10, x + 2] = 1
    assert (canvas(page) == expected).all()
    assert ledger(page)[1] == "brush"


def test_done_labels_the_slice_and_opens_the_next(page):
    row = kernel(page, "int(app.session.editing.row)")
    page.keyboard.press("d")
    second = kernel(page, "int(app.session.queue[1].row)")
    wait_until_open(page, second)
    assert kernel(page, "app.session.queue[0].state") == "done"
    assert kernel(page, f"int(app.session.pool.labeled_in[{row}])") == 1
    assert "1 of 3 done" in page.locator(".sw-editor-progress").inner_text()


def test_a_finger_draws_and_two_fingers_zoom_without_a_trace(page):
    before = canvas(page)
    saved = page.evaluate("() => window.saved")
    browser = page.context.new_cdp_session(page)

    def touch(kind, *pixels):
        points = [
            {"x": x, "y": y, "id": i}
            for i, (x, y) in enumerate(place(page, *pixel) for pixel in pixels)
        ]
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.wait_for_timeout(60)

    page.keyboard.press("2")
    touch("touchStart", (30, 30))
    touch("touchMove", (36, 30))
    touch("touchEnd")
    wait_until_saved(page, saved + 1)
    drawn_on = canvas(page)
    assert (drawn_on == brushed(before, (30, 30), (36, 30), 1, (1, 1), 2)).all()
    touch("touchStart", (20, 30))
    touch("touchMove", (22, 30))
    touch("touchStart", (22, 30), (40, 30))
    touch("touchMove", (12, 30), (50, 30))
    touch("touchEnd", (50, 30))
    touch("touchEnd")
    page.keyboard.press("r")
    page.wait_for_timeout(300)
    assert (canvas(page) == drawn_on).all()


def test_what_the_kernel_computes_is_drawn_and_saved(page):
    saved = page.evaluate("() => window.saved")
    number = kernel(page, "app.session.editing.number")
    page.keyboard.press("i")
    page.keyboard.press("3")
    page.mouse.click(*place(page, 0, 0))  # all of the dark surroundings
    page.wait_for_timeout(800)
    assert kernel(page, "app.session.editing.number") == number + 1
    assert ledger(page)[1] == "smart fill"
    assert canvas(page)[0, 0] == canvas(page)[-1, -1] == 3
    page.keyboard.press("x")
    page.keyboard.press("1")
    page.wait_for_function(
        "() => document.querySelector('.sw-editor [aria-live]').textContent.includes('superpixels')"
        " && document.querySelector('.sw-editor [aria-live]').textContent !== 'superpixels'",
        timeout=20_000,
    )
    before = canvas(page)
    page.mouse.click(*place(page, 30, 30))
    wait_until_saved(page, saved + 1)
    regions = (
        "__import__('numpy').frombuffer(__import__('zlib').decompress("
        "app.editor.segments['data']), 'int32').tolist()"
    )
    region = np.array(kernel(page, regions)).reshape(before.shape)
    assert (canvas(page) == np.where(region == region[30, 30], 1, before)).all()
    assert ledger(page)[1] == "superpixels"
    page.keyboard.press("b")


def test_what_was_drawn_is_pixel_by_pixel_in_the_nifti_file(page, tmp_path):
    """The slice of the first tests, which is done: as it was drawn, on the grid of its scan."""
    row = kernel(page, "[t.row for t in app.session.queue if t.state == 'done'][0]")
    name = kernel(page, f"[app.session.pool.ids[{row}].case, app.session.pool.ids[{row}].index]")
    drawn = np.array(kernel(page, f"app.session.known({row})[0].tolist()"), np.uint8)
    values = kernel(page, "[0, *map(int, app.session.cohort.labels)]")
    work = (
        "__import__('workbench.experiments.export').experiments.export.export_masks("
        "__import__('workbench.experiments.runs').experiments.runs.Run.load(app.session.folder), "
        f"__import__('pathlib').Path({str(tmp_path)!r}))"
    )
    assert kernel(page, f"__import__('workbench.jobs').jobs.finish({work})") == 1
    path = tmp_path / f"{name[0]}.nii.gz"
    mask, _ = to_ras(path, *read_label(path))
    slices = as_slices(mask, "axial")
    shown = fit(slices[name[1]], drawn.shape)
    kept = fit(np.ones_like(slices[name[1]]), drawn.shape).astype(bool)
    assert drawn.any()
    assert (shown[kept] == np.array(values)[drawn][kept]).all()
    others = [at for at in range(len(slices)) if at != name[1]]
    assert not slices[others].any()


def test_other_slices_are_looked_at_and_left_as_they_are(page):
    here = kernel(page, "int(app.session.editing.row)")
    entries = kernel(page, "app.session.editing.number")
    page.keyboard.press("PageUp")
    page.wait_for_selector(f".sw-editor[data-ready='{here + 1}/0/look']")
    drag(page, (10, 10), (20, 20))
    assert page.locator(".sw-editor-banner").is_visible()
    page.keyboard.press("Escape")
    wait_until_open(page, here)
    assert kernel(page, "app.session.editing.number") == entries
    assert kernel(page, "int(app.session.editing.row)") == here


def test_skipping_needs_a_reason_and_keeps_it(page):
    row = kernel(page, "int(app.session.editing.row)")
    third = kernel(page, "int(app.session.queue[2].row)")
    page.keyboard.press("s")
    page.get_by_label("In your own words").fill("<b>motion</b>")
    page.get_by_role("button", name="Skip it").click()
    wait_until_open(page, third)
    task = kernel(page, f"[(t.state, t.note) for t in app.session.queue if t.row == {row}][0]")
    assert task == ["skipped", "The border cannot be seen: <b>motion</b>"]


def test_reload_and_restart_bring_back_the_slice_the_queue_and_the_undo(page):
    page.evaluate(LISTEN)
    row = kernel(page, "int(app.session.editing.row)")
    start = canvas(page)
    page.keyboard.press("b")
    for column in (10, 20):
        drag(page, (column, 10), (column, 20))
        page.wait_for_timeout(300)
    wait_until_saved(page, 2)
    whole = canvas(page)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1500)
    page.goto(page.url.split("?")[0], wait_until="domcontentloaded")
    page.get_by_role("tab", name="Annotate").click(timeout=60_000)
    wait_until_open(page, row)
    assert "2 strokes" in page.locator(".sw-editor-head").inner_text()
    page.get_by_role("button", name="Undo (Z)").click()
    half = whole.copy()
    half[9:22, 19:22] = start[9:22, 19:22]
    wait_for_canvas(page, half)

    page.evaluate("() => { document.querySelector('.sw-editor').dataset.old = ''; }")
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    page.wait_for_timeout(1500)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector(".sw-editor:not([data-old])", state="attached", timeout=90_000)
    page.get_by_role("tab", name="Annotate").click()
    task = page.locator(".sw-editor-task[data-state='in progress']")
    task.wait_for(timeout=90_000)
    assert page.locator(".sw-editor-task[data-state='done']").count() == 1
    assert page.locator(".sw-editor-task[data-state='skipped']").count() == 1
    wait_until_open(page, row)  # where it was left
    page.get_by_role("button", name="Redo (Shift+Z)").click()
    wait_for_canvas(page, whole)
    page.wait_for_timeout(300)
    page.keyboard.press("z")
    wait_for_canvas(page, half)
    page.wait_for_timeout(300)
    page.keyboard.press("z")
    wait_for_canvas(page, start)


def test_two_browsers_on_one_kernel_see_each_others_strokes(page):
    row = kernel(page, "int(app.session.editing.row)")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1500)
    context = page.context.browser.new_context(viewport={"width": 1366, "height": 1100})
    other = context.new_page()
    other.set_default_timeout(60_000)
    other.goto(page.url.split("?")[0], wait_until="domcontentloaded")
    other.get_by_role("tab", name="Annotate").click()
    wait_until_open(other, row)
    for each in (page, other):
        each.evaluate(LISTEN)
        each.locator(".sw-editor-mask").focus()
        each.keyboard.press("1")
    before = canvas(page)
    drag(page, (10, 40), (10, 50))
    wait_until_saved(page, 1)
    other.wait_for_function(
        "() => document.querySelector('.sw-editor-head').textContent.includes('3 strokes')"
    )
    drag(other, (30, 40), (30, 50))
    wait_until_saved(other, 1)
    both = brushed(before, (10, 40), (10, 50), 3, (1, 1), 1)
    both = brushed(both, (30, 40), (30, 50), 3, (1, 1), 1)
    assert (drawn(other) == both).all()
    page.wait_for_function(
        "() => document.querySelector('.sw-editor-head').textContent.includes('4 strokes')"
    )
    drag(page, (20, 40), (20, 50))
    wait_until_saved(page, 2)
    assert (drawn(page) == brushed(both, (20, 40), (20, 50), 3, (1, 1), 1)).all()
    assert (ledger(page)[2] == drawn(page)).all()
    context.close()


def test_annotation_goes_on_while_the_next_round_trains(page):
    row = kernel(page, "int(app.session.editing.row)")
    page.get_by_role("button", name="Train with these").click()
    drag(page, (40, 40), (50, 40))
    wait_until_saved(page, 3)
    last = drawn(page)
    assert (ledger(page)[2] == last).all()
    for _ in range(240):
        if kernel(page, "len(app.session.rounds)") == 2:
            break
        page.wait_for_timeout(500)
    assert kernel(page, "len(app.session.rounds)") == 2
    assert (canvas(page) == last).all()
    assert kernel(page, "int(app.session.editing.row)") == row
    shoot(page, "annotate-2-next-round")
