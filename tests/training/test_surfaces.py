"""Hausdorff distances in millimeters, against hand-made masks and against MONAI."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.training.surfaces import surface_distances, surface_points

MASKS = arrays(bool, (4, 5, 6))


def masks(seed: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return two blobs that overlap, each with an island."""
    rng = np.random.default_rng(seed)
    axes = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"))
    found = []
    for _ in range(2):
        center = np.array(shape) * rng.uniform(0.35, 0.65, 3)
        radius = np.array(shape) * rng.uniform(0.15, 0.45, 3)
        blob = (((axes.T - center) / radius) ** 2).sum(axis=-1).T < 1
        blob[tuple(rng.integers(0, shape))] = True
        found.append(blob)
    return found[0], found[1]


def by_monai(p: np.ndarray, r: np.ndarray, spacing: list[float]) -> tuple[float, float]:
    # In float32: a percentile that falls on a rank is interpolated up to 1e-5 beside it.
    from monai.metrics import compute_hausdorff_distance

    one_hot = [torch.from_numpy(np.stack([~m, m])[None].astype(np.float32)) for m in (p, r)]
    return tuple(
        float(compute_hausdorff_distance(*one_hot, spacing=spacing, percentile=percentile))
        for percentile in (None, 95)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing", [[1.0, 1.0, 1.0], [5.0, 0.7, 0.9]])
def test_distances_are_those_of_monai(seed, spacing):
    p, r = masks(seed, (12, 20, 17))
    assert surface_distances(p, r, spacing) == pytest.approx(
        by_monai(p, r, spacing), rel=1e-6, abs=1e-4
    )


@settings(max_examples=40)
@given(MASKS, MASKS)
def test_any_two_masks_measure_as_monai_measures_them(p, r):
    if p.any() and r.any():
        spacing = [2.0, 1.0, 0.5]
        assert surface_distances(p, r, spacing) == pytest.approx(
            by_monai(p, r, spacing), rel=1e-6, abs=1e-4
        )


@given(MASKS, MASKS, st.permutations([0.5, 1.0, 3.0]))
def test_distances_are_symmetric_and_the_percentile_is_not_above_the_maximum(p, r, spacing):
    hd, hd95 = surface_distances(p, r, spacing)
    assert (hd, hd95) == surface_distances(r, p, spacing)
    assert 0 <= hd95 <= hd <= np.linalg.norm(np.array(p.shape) * spacing)
    assert surface_distances(p, p, spacing) == (0, 0)


def test_two_single_voxels_are_apart_by_their_spacing():
    p, r = np.zeros((2, 4, 8, 8), bool)
    p[0, 1, 1] = r[2, 4, 5] = True
    expected = np.sqrt((2 * 5) ** 2 + 3**2 + (4 * 0.5) ** 2)
    assert surface_distances(p, r, [5.0, 1.0, 0.5]) == (pytest.approx(expected),) * 2


def test_the_percentile_leaves_out_one_far_voxel():
    r = np.zeros((1, 30, 30), bool)
    r[0, 2:8, 2:8] = True
    p = r.copy()
    p[0, 5, 29] = True
    hd, hd95 = surface_distances(p, r, [1.0, 1.0, 1.0])
    assert (hd, hd95) == (22.0, 0.0)


def test_empty_masks_give_zero_together_and_the_diagonal_alone():
    empty, one = np.zeros((2, 155, 240, 240), bool)
    one[70, 100, 100] = True
    assert surface_distances(empty, empty, [1, 1, 1]) == (0, 0)
    for pair in ((empty, one), (one, empty)):
        assert surface_distances(*pair, [1, 1, 1]) == (pytest.approx(373.13, abs=0.005),) * 2


def test_the_surface_of_a_cube_is_all_but_its_core():
    mask = np.zeros((9, 9, 9), bool)
    mask[2:7, 3:8, 1:6] = True
    points = surface_points(mask)
    assert len(points) == 5**3 - 3**3
    assert points.min(axis=0).tolist() == [2, 3, 1]
    assert points.max(axis=0).tolist() == [6, 7, 5]


def test_the_border_of_the_volume_is_a_surface():
    assert len(surface_points(np.ones((3, 4, 5), bool))) == 3 * 4 * 5 - 1 * 2 * 3
