from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.cohort.preprocess import (
    as_slices,
    common_size,
    display_order,
    fit,
    standardize,
    without_blank_ends,
)
from workbench.cohort.recipes import Recipe
from workbench.errors import SettingError


def marked(x, y, z):
    volume = np.zeros((5, 6, 7))
    volume[x, y, z] = 1
    return volume


def place(volume, axis):
    return tuple(int(i) for i in np.argwhere(as_slices(volume, axis))[0])


@pytest.mark.parametrize(
    ("axis", "right", "anterior", "superior"),
    [
        # (slice, row, column) of a voxel at the far right, front and top of the patient
        ("axial", (0, 5, 0), (0, 0, 4), (6, 5, 4)),
        ("coronal", (0, 6, 0), (5, 6, 4), (0, 0, 4)),
        ("sagittal", (4, 6, 5), (0, 6, 0), (0, 0, 5)),
    ],
)
def test_slices_are_radiological(axis, right, anterior, superior):
    assert place(marked(4, 0, 0), axis) == right
    assert place(marked(0, 5, 0), axis) == anterior
    assert place(marked(0, 0, 6), axis) == superior


def test_slices_are_a_view():
    volume = np.zeros((2, 3, 4, 5))
    slices = as_slices(volume, "coronal")
    assert slices.shape == (2, 4, 5, 3)
    assert np.shares_memory(volume, slices)


def test_spacing_is_ordered_as_displayed():
    assert display_order((1, 2, 3), "axial") == (3, 2, 1)
    assert display_order((1, 2, 3), "coronal") == (2, 3, 1)
    assert display_order((1, 2, 3), "sagittal") == (1, 3, 2)


def test_negative_voxels_are_no_background():
    data = np.array([[[[0.0, -2.0, 4.0, 1.0]]]], np.float32)
    scaled = standardize(data)[0, 0, 0]
    assert scaled[0] == 0
    np.testing.assert_allclose(scaled[1:], (np.array([-2, 4, 1]) - 1) / np.sqrt(6), rtol=1e-6)


@given(scale=st.floats(1e-3, 1e5), ratio=st.floats(-20, 20), seed=st.integers(0, 9))
def test_scaling_forgets_units_and_leaves_the_background(scale, ratio, seed):
    rng = np.random.default_rng(seed)
    data = rng.normal(ratio * scale, scale, (2, 5, 5, 5)).astype(np.float32)
    data[:, :2] = 0
    scaled = standardize(data)
    inside = data != 0
    assert (scaled[~inside] == 0).all()
    for channel in range(2):
        values = scaled[channel][inside[channel]]
        assert abs(values.mean()) < 1e-3
        assert abs(values.std() - 1) < 1e-3


@pytest.mark.parametrize("value", [0.0, 3.0, -1e-6])
def test_a_channel_without_contrast_becomes_zero(value):
    assert not standardize(np.full((1, 3, 3, 3), value, np.float32)).any()


@given(
    shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    size=st.tuples(st.sampled_from([16, 32, 48]), st.sampled_from([16, 32, 48])),
)
def test_padding_and_cropping_keep_the_middle(shape, size):
    slices = np.arange(1, shape[0] * shape[1] + 1, dtype=np.float32).reshape(1, *shape)
    fitted = fit(slices, size)
    assert fitted.shape == (1, *size)
    assert np.count_nonzero(fitted) == min(shape[0], size[0]) * min(shape[1], size[1])
    bigger = tuple(max(pair) for pair in zip(shape, size, strict=True))
    np.testing.assert_array_equal(fit(fit(slices, bigger), shape), slices)


@given(
    st.lists(st.tuples(*[st.integers(1, 300)] * 3), min_size=1, max_size=5),
    st.sampled_from(["axial", "coronal", "sagittal"]),
)
def test_the_common_size_is_the_smallest_that_holds_all(shapes, axis):
    size = common_size(shapes, axis)
    for index in (0, 1):
        needed = max(display_order(shape, axis)[index + 1] for shape in shapes)
        assert size[index] % 16 == 0
        assert needed <= size[index] < needed + 16


def test_blank_slices_are_dropped_at_the_ends_only():
    slices = np.zeros((2, 8, 3, 3), np.float32)
    slices[0, 2, 1, 1] = 1
    slices[1, 5, 1, 1] = -1
    slices[:, 7] = 4.0  # no contrast: blank too
    assert without_blank_ends(slices) == slice(2, 6)
    assert without_blank_ends(slices * 0) == slice(0, 8)


@pytest.mark.parametrize(
    "wrong", [{"axis": "oblique"}, {"size": (60, 64)}, {"size": (0, 16)}, {"scaling": "minmax"}]
)
def test_a_recipe_out_of_range_is_refused(wrong):
    with pytest.raises(SettingError):
        Recipe(**wrong)
