from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.annotation.effort import drawn_mm, measure_effort, no_effort, stroke_mm
from workbench.cohort.cohort import IGNORED
from workbench.errors import SettingError
from workbench.training.contours import contour

label_maps = arrays(
    np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 2)
)


def whole_mm(mask, spacing=(1, 1)):
    """Length of a mask's contour: all of it is new to an empty one."""
    return drawn_mm(np.zeros_like(mask), mask, spacing)


def square(shape=(9, 9), rows=slice(2, 6), columns=slice(2, 6), value=1):
    made = np.zeros(shape, np.uint8)
    made[rows, columns] = value
    return made


def plain_contour(mask):
    """The definition, pixel by pixel: in the mask, with a 4-neighbor that is not."""
    height, width = mask.shape
    edge = np.zeros(mask.shape, bool)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                inside = 0 <= y + dy < height and 0 <= x + dx < width
                if mask[y, x] and not (inside and mask[y + dy, x + dx]):
                    edge[y, x] = True
    return edge


def plain_saved(prediction, reference, value):
    theirs, mine = plain_contour(reference == value), plain_contour(prediction == value)
    c = sum(bool(a and b) for a, b in zip(theirs.ravel(), mine.ravel(), strict=True))
    length = sum(bool(a) for a in theirs.ravel())
    return c, length


# ---------------------------------------------------------------- in pixels
def test_a_squares_contour_is_its_rim():
    edge = contour(square() == 1)
    assert edge.sum() == 12
    assert not edge[3:5, 3:5].any()


def test_outside_of_the_image_is_background():
    assert contour(np.ones((4, 5), bool)).sum() == 14


@given(label_maps, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_effort_is_that_of_a_plain_loop(reference, random):
    prediction = reference.copy().ravel()
    for place in range(prediction.size):
        if random.random() < 0.3:
            prediction[place] = random.randrange(3)
    prediction = prediction.reshape(reference.shape)
    found = measure_effort(prediction, reference, 3)
    for place, value in enumerate((1, 2)):
        c, length = plain_saved(prediction, reference, value)
        assert (found.shared[place], found.reference[place]) == (c, length)
        if length:
            assert found.saved[place] == pytest.approx(c / length)
        else:
            assert np.isnan(found.saved[place])
    assert found.changed == (prediction != reference).sum()


@given(label_maps)
@settings(max_examples=30)
def test_torch_and_numpy_have_one_contour(labels):
    mask = labels > 0
    assert np.array_equal(contour(torch.from_numpy(mask)).numpy(), contour(mask))


def test_a_square_moved_by_one_pixel_saves_half_of_its_two_long_sides():
    # 4×4 moved by one column: rim pixels in common are 3 above and 3 below.
    found = measure_effort(square(columns=slice(3, 7)), square(), 2)
    assert found.saved.tolist() == [6 / 12]
    assert found.changed == 8


def test_what_is_right_is_saved_wholly_and_what_is_empty_not_at_all():
    assert measure_effort(square(), square(), 2).saved.tolist() == [1.0]
    assert measure_effort(np.zeros((9, 9)), square(), 2).saved.tolist() == [0.0]


def test_a_class_that_the_reference_does_not_have_has_no_value():
    found = measure_effort(square(), square(), 3)
    assert np.isnan(found.saved[1])
    assert found.saved_overall == 1.0


def test_slices_are_summed_before_they_are_divided():
    large, small = square(), square(rows=slice(2, 3), columns=slice(2, 3))
    reference = np.stack([large, small])
    prediction = np.stack([large, np.zeros_like(small)])
    found = measure_effort(prediction, reference, 2)
    assert found.saved.tolist() == [12 / 13]
    halves = [measure_effort(p, r, 2) for p, r in zip(prediction, reference, strict=True)]
    assert sum(halves, no_effort(2)).saved.tolist() == [12 / 13]


def test_each_slice_of_a_volume_is_drawn_on_its_own():
    # The middle slice of a block has a rim, though it is inside of the block in 3-D.
    assert measure_effort(np.zeros((3, 9, 9)), np.stack([square()] * 3), 2).reference[0] == 36


def test_ignored_pixels_count_on_neither_side():
    reference = square()
    reference[:, 4:] = IGNORED
    found = measure_effort(square(), reference, 2)
    assert found.saved.tolist() == [1.0]
    assert found.changed == 0


# ---------------------------------------------------------------- in millimeters
def test_lengths_are_in_millimeters_of_the_spacing():
    one = square(rows=slice(4, 5), columns=slice(4, 5))
    # Around a single pixel the contour is a diamond through the middles of its four sides.
    assert whole_mm(one == 1, (1, 1)) == pytest.approx(4 * np.hypot(0.5, 0.5))
    assert whole_mm(one == 1, (2, 1)) == pytest.approx(4 * np.hypot(1.0, 0.5))


def test_a_mask_at_the_border_has_a_closed_contour():
    whole = np.ones((4, 5), bool)
    # Sides, less what each of four cut corners of half a pixel takes.
    assert whole_mm(whole, (1, 1)) == pytest.approx(2 * (3 + 4) + 4 * np.hypot(0.5, 0.5))


def test_without_tolerance_a_moved_contour_shares_only_what_coincides():
    found = measure_effort(square(columns=slice(3, 7)), square(), 2, spacing=(1, 2))
    # Above and below, straight lines from column 3 to column 5: two pixels of 2 mm, twice.
    assert found.shared_mm[0] == pytest.approx(8.0)


def test_a_tolerance_of_the_move_shares_everything():
    moved = square(columns=slice(3, 7))
    assert measure_effort(moved, square(), 2, tolerance=1.0).saved_mm[0] == pytest.approx(1.0)
    assert measure_effort(moved, square(), 2, spacing=(1, 3), tolerance=1.0).saved_mm[0] < 1.0


@given(label_maps, label_maps, st.floats(0, 2))
@settings(max_examples=40)
def test_more_tolerance_never_shares_less(one, other, tolerance):
    other = np.resize(other, one.shape)
    near = measure_effort(one, other, 3, tolerance=tolerance)
    nearer = measure_effort(one, other, 3)
    assert (near.shared_mm >= nearer.shared_mm - 1e-9).all()
    assert (near.shared_mm <= near.reference_mm + 1e-9).all()


@given(label_maps, label_maps, st.floats(0, 2), st.floats(0.5, 3), st.floats(0.5, 3))
@settings(max_examples=40)
def test_nearness_is_that_of_a_plain_loop_over_lines(one, other, tolerance, height, width):
    other = np.resize(other, one.shape)
    found = measure_effort(one, other, 2, spacing=(height, width), tolerance=tolerance)
    mine, theirs = plain_lines(one == 1, height, width), plain_lines(other == 1, height, width)
    near = [line for line in theirs if plain_distance(line, mine) <= tolerance + 1e-9]
    doubtful = sum(
        length(line) for line in theirs if abs(plain_distance(line, mine) - tolerance) < 1e-6
    )
    assert found.reference_mm[0] == pytest.approx(sum(map(length, theirs)))
    assert abs(found.shared_mm[0] - sum(map(length, near))) <= doubtful + 1e-9


def plain_lines(mask, height, width):
    """Marching squares by hand: lines between the middles of pixel sides."""
    from skimage.measure import find_contours

    lines = []
    for found in find_contours(np.pad(mask, 1).astype(float), 0.5):
        points = [(y * height, x * width) for y, x in found]
        lines += list(itertools.pairwise(points))
    return lines


def length(line):
    (a, b), (c, d) = line
    return float(np.hypot(a - c, b - d))


def plain_distance(line, others):
    """Distance of the middle of a line to the nearest of others."""
    middle = np.mean(line, axis=0)
    distances = [np.inf]
    for start, end in others:
        start, way = np.array(start), np.subtract(end, start)
        along = min(max(float((middle - start) @ way / (way @ way)), 0.0), 1.0)
        distances.append(float(np.linalg.norm(middle - start - along * way)))
    return min(distances)


# ---------------------------------------------------------------- bad input
def test_label_maps_of_two_shapes_are_refused():
    with pytest.raises(SettingError, match=r"shape \(9, 9\) and the reference \(8, 9\)"):
        measure_effort(np.zeros((9, 9)), np.zeros((8, 9)), 2)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(SettingError, match=r"tolerance -1"):
        measure_effort(square(), square(), 2, tolerance=-1)


def test_efforts_of_two_tolerances_are_not_added():
    with pytest.raises(SettingError, match="cannot be added"):
        no_effort(2, 0.0) + no_effort(2, 1.0)


# ---------------------------------------------------------------------- strokes
def test_a_stroke_draws_the_new_part_of_the_contour_of_the_class_it_paints():
    before = square()
    wider = square(columns=slice(2, 8))
    assert stroke_mm(np.zeros_like(before), before) == pytest.approx(whole_mm(before == 1))
    assert stroke_mm(before, wider) == pytest.approx(drawn_mm(before == 1, wider == 1))
    assert stroke_mm(before, wider) < whole_mm(wider == 1)
    assert stroke_mm(wider, wider) == 0


def test_painting_over_another_class_draws_its_boundary_once():
    before = square(rows=slice(2, 8), columns=slice(2, 8))
    after = np.where(square(rows=slice(4, 6), columns=slice(4, 6)) == 1, np.uint8(2), before)
    assert stroke_mm(before, after) == pytest.approx(whole_mm(after == 2))


def test_erasing_draws_what_is_left_of_the_contour_and_nothing_where_nothing_is_left():
    before = square()
    half = square(columns=slice(2, 4))
    assert stroke_mm(before, np.zeros_like(before)) == 0
    assert stroke_mm(before, half) == pytest.approx(drawn_mm(before == 1, half == 1))


def test_an_oblique_stroke_has_its_own_length_and_not_that_of_a_staircase():
    rows, columns = np.indices((60, 60))
    triangle = (columns < rows).astype(np.uint8)
    stairs = 4 * 60  # along the edges of the pixels
    assert stroke_mm(np.zeros_like(triangle), triangle) == pytest.approx(
        (2 + np.sqrt(2)) * 60, rel=0.03
    )
    assert stroke_mm(np.zeros_like(triangle), triangle) < 0.9 * stairs


@given(arrays(np.uint8, (2, 12, 12), elements=st.integers(0, 2)))
def test_only_what_is_near_the_change_is_looked_at_and_nothing_is_missed(maps):
    before = np.pad(maps[0], 6, mode="edge")
    after = before.copy()
    after[10:14, 10:14] = maps[1, :4, :4]
    changed = before != after
    classes = np.unique(after[changed])
    classes = classes if classes.any() else np.unique(before[changed])
    whole = sum(drawn_mm(before == each, after == each, (2, 0.5)) for each in classes if each)
    assert stroke_mm(before, after, (2, 0.5)) == pytest.approx(whole)
