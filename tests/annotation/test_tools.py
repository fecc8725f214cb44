"""Tools that compute what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from workbench.annotation.canvas import Canvas, Neighbor
from workbench.annotation.tools import (
    TOOLS,
    UNMARKED,
    copy_from,
    grow,
    interpolate,
    smart_fill,
    superpixels,
)
from workbench.errors import SettingError

SIDE = 60


def disk(x0: float, y0: float, radius: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.hypot(x - x0, y - y0) <= radius


def canvas(**changes: object) -> Canvas:
    """A bright disk and a bright square far from it, with a little noise."""
    image = np.random.default_rng(0).normal(0, 0.05, (2, SIDE, SIDE)).astype(np.float32)
    image[:, disk(20, 20, 10)] += 3
    image[:, 45:55, 45:55] += 3
    values = {
        "image": image,
        "classes": np.zeros((SIDE, SIDE), np.uint8),
        "class_count": 4,
        "spacing": (1.0, 1.0),
    }
    return Canvas(**{**values, **changes})


def test_smart_fill_takes_what_is_bright_and_connected_only():
    found = smart_fill(canvas(), row=20, column=20, label=2, tolerance=1.0)
    assert (found == np.where(disk(20, 20, 10), 2, 0)).all()


def test_smart_fill_leaves_other_labels_outside_of_it_alone():
    classes = np.full((SIDE, SIDE), 3, np.uint8)
    found = smart_fill(canvas(classes=classes), row=20, column=20, label=0, tolerance=1.0)
    assert (found == np.where(disk(20, 20, 10), 0, 3)).all()


def test_superpixels_are_connected_and_do_not_cross_the_borders_of_a_structure():
    seen = canvas()
    found = superpixels(seen.image[0], 6)
    assert found.shape == (SIDE, SIDE)
    assert 40 < found.max() + 1 < 220
    assert set(np.unique(found)) == set(range(found.max() + 1))
    inside = disk(20, 20, 10)
    for region in range(found.max() + 1):
        mine = found == region
        assert label(mine)[1] == 1
        share = inside[mine].mean()
        assert min(share, 1 - share) < 0.2


def test_scribbles_grow_to_the_border_of_what_they_mark():
    scribbles = np.full((SIDE, SIDE), UNMARKED, np.uint8)
    scribbles[20, 16:24] = 1
    scribbles[2, 2:50] = 0
    scribbles[40, 5:40] = 0
    found = grow(canvas(), scribbles=scribbles)
    assert (found[disk(20, 20, 9)] == 1).all()
    assert (found[~disk(20, 20, 11)] == 0).mean() > 0.95


def test_labels_that_are_not_scribbled_stay():
    classes = np.zeros((SIDE, SIDE), np.uint8)
    classes[45:55, 45:55] = 3
    scribbles = np.full((SIDE, SIDE), UNMARKED, np.uint8)
    scribbles[20, 16:24] = 1
    scribbles[2, 2:50] = scribbles[40, 2:40] = 0
    found = grow(canvas(classes=classes), scribbles=scribbles)
    assert (found[45:55, 45:55] == 3).all()
    assert (found[disk(20, 20, 8)] == 1).all()


def test_scribbles_on_a_large_slice_are_grown_at_full_size():
    seen = canvas()
    large = Canvas(
        np.repeat(np.repeat(seen.image, 9, 1), 9, 2),
        np.zeros((9 * SIDE, 9 * SIDE), np.uint8),
        4,
        (1.0, 1.0),
    )
    scribbles = np.full(large.classes.shape, UNMARKED, np.uint8)
    scribbles[181, 150:200] = 2  # one pixel thin
    scribbles[20, 20:400] = scribbles[330, 20:400] = 0
    found = grow(large, scribbles=scribbles)
    assert found.shape == large.classes.shape
    assert (found[disk(20, 20, 8).repeat(9, 0).repeat(9, 1)] == 2).all()
    assert (found[:60] == 0).all()


def test_what_lies_far_from_all_scribbles_stays():
    classes = np.full((SIDE, SIDE), 1, np.uint8)
    scribbles = np.full((SIDE, SIDE), UNMARKED, np.uint8)
    scribbles[20, 16:24] = 1
    scribbles[8, 8:32] = scribbles[32, 8:32] = 0
    found = grow(canvas(classes=classes), scribbles=scribbles)
    assert (found[40:] == 1).all()
    assert found[10, 10] == 0


def test_copying_takes_the_nearest_annotated_slice():
    there = np.where(disk(30, 30, 5), 2, 0).astype(np.uint8)
    seen = canvas(before=Neighbor(3, there))
    assert (copy_from(seen, side="before") == there).all()
    with pytest.raises(SettingError, match="No slice after this one is annotated"):
        copy_from(seen, side="after")


def test_interpolation_lies_between_its_two_slices():
    lower = np.where(disk(30, 30, 6), 1, 0).astype(np.uint8)
    upper = np.where(disk(30, 30, 18), 1, 0).astype(np.uint8)
    middle = interpolate(canvas(before=Neighbor(1, lower), after=Neighbor(1, upper)))
    radius = np.sqrt((middle == 1).sum() / np.pi)
    assert radius == pytest.approx(12, abs=0.7)
    near = interpolate(canvas(before=Neighbor(1, lower), after=Neighbor(3, upper)))
    assert (lower <= near).all()
    assert (near <= middle).all()
    assert np.sqrt((near == 1).sum() / np.pi) == pytest.approx(9, abs=0.7)


def test_interpolating_equal_slices_changes_nothing():
    both = np.where(disk(30, 30, 6), 1, np.where(disk(30, 30, 12), 3, 0)).astype(np.uint8)
    found = interpolate(canvas(before=Neighbor(2, both), after=Neighbor(1, both)))
    assert (found == both).all()


def test_a_structure_that_one_slice_lacks_tapers_off_half_way():
    lower = np.where(disk(30, 30, 12), 1, 0).astype(np.uint8)
    empty = np.zeros_like(lower)
    sizes = [
        int(interpolate(canvas(before=Neighbor(i, lower), after=Neighbor(10 - i, empty))).sum())
        for i in (1, 3, 5, 8)
    ]
    assert lower.sum() > sizes[0] > sizes[1] > sizes[2] == sizes[3] == 0


@pytest.mark.parametrize(
    ("tool", "wish", "told"),
    [
        ("smart fill", {"row": 99, "column": 0, "label": 1, "tolerance": 1.0}, "outside"),
        ("smart fill", {"row": 0, "column": 0, "label": 4, "tolerance": 1.0}, "no label 4"),
        (
            "smart fill",
            {"row": 0, "column": 0, "label": 1, "tolerance": 1.0, "channel": 2},
            "no channel 2",
        ),
        ("scribbles", {"scribbles": np.full((SIDE, SIDE), UNMARKED, np.uint8)}, "at least two"),
        ("scribbles", {"scribbles": np.zeros((3, 3), np.uint8)}, "shape"),
        ("interpolate", {}, "both sides"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(tool, wish, told):
    with pytest.raises(SettingError, match=told):
        TOOLS[tool](canvas(), **wish)
