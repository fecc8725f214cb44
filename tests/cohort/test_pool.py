"""Rows keep their place for ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.cohort.pool import Pool, SliceId, VolumeId
from workbench.errors import SettingError


def a_pool(n: int = 6) -> Pool:
    ids = tuple(SliceId(f"case_{row // 3}", "axial", row % 3) for row in range(n))
    return Pool(ids, np.arange(n) // 3, np.ones(n, bool), np.full(n, -1))


@given(
    st.text(min_size=1).filter(lambda text: text.strip() == text),
    st.sampled_from(["axial", "coronal", "sagittal"]),
    st.integers(0, 20_000),
)
def test_a_slice_name_is_read_back(case, axis, index):
    assert SliceId.parse(str(SliceId(case, axis, index))) == SliceId(case, axis, index)


@pytest.mark.parametrize("text", ["", "case", "case/axial", "case/oblique/0001", "case/axial/one"])
def test_a_text_that_names_no_slice_is_refused_with_an_example(text):
    with pytest.raises(SettingError, match="case_01/axial/0031"):
        SliceId.parse(text)


def test_labeling_makes_a_new_pool_and_moves_no_row():
    before = a_pool()
    after = before.with_labeled([4, 1], round=2)
    assert not before.labeled.any()
    assert after.labeled_in.tolist() == [-1, 2, -1, -1, 2, -1]
    assert after.ids is before.ids
    assert after.free.tolist() == [True, False, True, True, False, True]


@pytest.mark.parametrize("rows", [[1, 1], [0]])
def test_a_slice_is_labeled_once(rows):
    with pytest.raises(SettingError, match="can be labeled once"):
        a_pool().with_labeled([0], 0).with_labeled(rows, 1)


def test_a_volume_is_called_a_volume():
    pool = Pool((VolumeId("case_1"),), np.zeros(1), np.ones(1, bool), np.full(1, -1))
    with pytest.raises(SettingError, match="A volume can be labeled once"):
        pool.with_labeled([0, 0], 0)


def test_the_arrays_of_a_pool_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        a_pool().labeled_in[0] = 3


def test_an_array_of_another_length_is_refused():
    with pytest.raises(SettingError, match="one row for each id"):
        Pool(a_pool().ids, np.zeros(2), np.ones(6), np.zeros(6))
