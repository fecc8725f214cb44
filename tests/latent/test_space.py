from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.jobs import finish
from workbench.latent import space
from workbench.latent.space import LatentSpace, encode, neighbor_distance, reconstruct, traverse

from .tiny import COMPUTE, TinyImages, TinyVAE


def test_every_slice_is_encoded_to_its_mean_whatever_the_chunk():
    images, vae = TinyImages(n=11), TinyVAE()
    found = finish(encode(vae, images, COMPUTE, batch=4))
    with torch.no_grad():
        expected = vae.encode(torch.from_numpy(images.pixels))[0].numpy()
    np.testing.assert_allclose(found.z, expected, atol=1e-6)
    assert found.z.dtype == np.float64
    assert not found.z.flags.writeable


def test_encoding_reports_every_chunk():
    steps = [each.step for each in encode(TinyVAE(), TinyImages(n=10), COMPUTE, batch=4)]
    assert steps == [4, 8, 10, 10]


def test_the_neighbor_distance_is_the_median_over_distinct_codes():
    z = np.array([[0.0], [1.0], [1.0], [1.0], [3.0], [6.0]])
    assert neighbor_distance(z) == 1.5  # of 1, 1, 2, 3


def test_there_is_a_unit_where_all_codes_are_the_same():
    assert neighbor_distance(np.zeros((5, 2))) == 1.0


@pytest.mark.parametrize("d", [7, 20])
def test_both_ways_to_measure_the_neighbor_distance_agree(monkeypatch, d):
    z = np.random.default_rng(0).normal(size=(3100, d))
    compared = neighbor_distance(z)
    monkeypatch.setattr(space, "TREE_UP_TO", 99)
    assert compared == pytest.approx(neighbor_distance(z), rel=1e-12)


def test_a_dimension_in_which_nothing_differs_is_not_active():
    z = np.random.default_rng(0).normal(size=(100, 3)) * [1.0, 0.01, 1.0]
    assert LatentSpace.of(z).active_dims == 2


def test_a_walk_moves_along_one_axis_through_the_middle():
    images, vae = TinyImages(n=30), TinyVAE()
    found = finish(encode(vae, images, COMPUTE))
    walk = traverse(vae, found, steps=5)
    assert walk.shape == (3, 5, 2, 16, 16)
    weight = vae.from_z.weight.detach().numpy().reshape(2, 16, 16, 3)
    step = walk[1, 4] - walk[1, 0]
    ratio = (step / weight[..., 1]).ravel()
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-2)


def test_reconstructions_have_the_shape_of_the_images():
    images = TinyImages(n=3).pixels
    assert reconstruct(TinyVAE(), images).shape == images.shape
