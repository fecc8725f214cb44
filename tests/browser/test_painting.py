"""The editor's painting on a label map, against the same rules written in numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright
from scipy.ndimage import label
from skimage.measure import points_in_poly

from tests.browser.find_browser import find_browser
from tests.browser.lab import FLAGS, ROOT

pytestmark = pytest.mark.browser

H, W = 40, 56


@pytest.fixture(scope="module")
def script() -> Iterator[Page]:
    """A blank page that knows `painting`."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
        page = chromium.new_page()
        text = (ROOT / "widgets" / "mask_editor_paint.js").read_text()
        page.add_script_tag(content=text.replace("const painting", "window.painting"))
        yield page
        chromium.close()


def painted(page: Page, start: np.ndarray, call: str, *values: object) -> np.ndarray:
    found = page.evaluate(
        """([data, height, width, call, values]) => {
            const map = { data: Uint8Array.from(data), width, height };
            const box = painting[call](map, ...values);
            return { data: [...map.data], box };
        }""",
        [start.ravel().tolist(), *start.shape, call, list(values)],
    )
    after = np.array(found["data"], np.uint8).reshape(start.shape)
    changed = np.argwhere(after != start)
    if len(changed):  # what changed lies in the box that is drawn anew
        left, top, right, bottom = found["box"]
        assert (changed.min(0) >= (top, left)).all()
        assert (changed.max(0) < (bottom, right)).all()
    return after


def brushed(start: np.ndarray, a, b, size, aspect, value) -> np.ndarray:
    """Every pixel whose center is within half the size of the line from a to b."""
    y, x = np.mgrid[: start.shape[0], : start.shape[1]]
    p = np.stack([x * aspect[0], y * aspect[1]], -1).astype(float)
    a, b = (np.array(each) * aspect for each in (a, b))
    along = b - a
    squared = float(along @ along)
    t = np.clip(((p - a) @ along) / squared, 0, 1) if squared else np.zeros(x.shape)
    distance = np.linalg.norm(p - a - t[..., None] * along, axis=-1)
    return np.where(distance <= size / 2 + 1e-12, value, start).astype(np.uint8)


@pytest.mark.parametrize(
    ("a", "b", "size", "aspect"),
    [
        ([10, 12], [10, 12], 1, [1, 1]),
        ([5, 30], [50, 7], 1, [1, 1]),
        ([5, 30], [50, 7], 5, [1, 1]),
        ([-8, 20], [20, 60], 9, [1, 1]),
        ([12, 12], [30, 12], 7, [1, 3]),
        ([-40, -40], [-30, -35], 5, [1, 1]),
    ],
)
def test_the_brush_paints_what_lies_under_it_without_gaps(script, a, b, size, aspect):
    start = np.random.default_rng(0).integers(0, 3, (H, W)).astype(np.uint8)
    found = painted(script, start, "sweep", a, b, size, aspect, 3)
    assert (found == brushed(start, a, b, size, aspect, 3)).all()
    inside = (found == 3)[1:-1, 1:-1]
    if inside.any():
        assert label(found == 3, np.ones((3, 3)))[1] == 1


def test_a_polygon_holds_the_pixels_whose_centers_it_encloses(script):
    rng = np.random.default_rng(1)
    for _ in range(20):
        corners = rng.uniform(-5, 60, (rng.integers(3, 9), 2)).round(3)
        found = painted(script, np.zeros((H, W), np.uint8), "polygon", corners.tolist(), 2)
        y, x = np.mgrid[:H, :W]
        centers = np.stack([x.ravel() + 0.5, y.ravel() + 0.5], -1)
        expected = points_in_poly(centers, corners).reshape(H, W)
        assert (found == 2).sum() > 0 or not expected.any()
        assert ((found == 2) == expected).all()


def test_filling_takes_the_connected_pixels_of_one_class_only(script):
    start = (np.random.default_rng(2).random((H, W)) < 0.6).astype(np.uint8)
    for column, row in ((0, 0), (30, 20), (55, 39)):
        found = painted(script, start, "flood", [column, row], 5)
        parts, _ = label(start == start[row, column])
        expected = np.where(parts == parts[row, column], 5, start)
        assert (found == expected).all()


def test_every_edge_of_a_class_is_outlined_once(script):
    classes = np.random.default_rng(3).integers(0, 3, (H, W)).astype(np.uint8)
    found = script.evaluate(
        """([data, height, width]) => {
            const lengths = {};
            painting.outline({ data: Uint8Array.from(data), width, height }, [0, 0, width, height],
                (value, x0, y0, x1, y1) => {
                    lengths[value] = (lengths[value] || 0) + Math.abs(x1 - x0) + Math.abs(y1 - y0);
                });
            return lengths;
        }""",
        [classes.ravel().tolist(), H, W],
    )
    for value in (1, 2):
        mask = np.pad(classes == value, 1).astype(int)
        edges = np.abs(np.diff(mask, axis=0)).sum() + np.abs(np.diff(mask, axis=1)).sum()
        assert found[str(value)] == edges
