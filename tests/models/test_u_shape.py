"""The network of the effort paper (§2.1, fig. 4)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import SettingError
from workbench.models.compute import Compute
from workbench.models.unet import build_unet, levels
from workbench.models.variants import HeadSettings, Variant, build_network, continue_from, outputs
from workbench.training.settings import SegmentationConfig

FEATURES = (4, 8, 16, 32, 64, 6)


def convolutions(network):
    return [each for each in network.modules() if isinstance(each, nn.Conv2d)]


def test_channels_double_before_a_pooling_and_not_after_it():
    network = build_unet(1, 4, FEATURES, u_shape=True)
    down = convolutions(network)[:10]
    assert [(each.in_channels, each.out_channels) for each in down] == [
        (1, 2), (2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32), (32, 64),
    ]  # fmt: skip
    up = [each for each in network.modules() if isinstance(each, nn.ConvTranspose2d)]
    assert [(each.in_channels, each.out_channels) for each in up] == [
        (64, 64), (32, 32), (16, 16), (8, 8),
    ]  # fmt: skip


def test_it_has_no_batch_norm_and_glorot_weights():
    network = build_unet(1, 4, (16, 32, 64, 128, 256, 16), u_shape=True)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in network.modules())
    for each in convolutions(network):
        assert not each.bias.any()
        inside = each.kernel_size[0] * each.kernel_size[1]
        bound = np.sqrt(6 / ((each.in_channels + each.out_channels) * inside))
        assert each.weight.abs().max() <= bound
    large = convolutions(network)[9]
    bound = np.sqrt(6 / ((large.in_channels + large.out_channels) * 9))
    assert large.weight.std().item() == pytest.approx(bound / np.sqrt(3), rel=0.02)


def test_patches_of_64_give_four_maps_of_64():
    assert build_unet(1, 4, FEATURES, u_shape=True)(torch.zeros(2, 1, 64, 64)).shape == (
        2,
        4,
        64,
        64,
    )


def test_at_the_papers_widths_it_has_about_as_many_parameters_as_the_paper_says():
    with torch.device("meta"):
        network = build_unet(1, 4, (64, 128, 256, 512, 1024, 64), u_shape=True)
    assert sum(each.numel() for each in network.parameters()) == 27_530_436


def test_the_seed_decides_its_weights():
    one, same, other = (build_unet(1, 4, FEATURES, seed, u_shape=True) for seed in (1, 1, 2))
    weights = [convolutions(each)[5].weight for each in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    "variant", [Variant(), Variant(dropout=0.5), Variant(head=HeadSettings()), Variant(members=2)]
)
def test_it_comes_in_every_variant(variant):
    network = build_network(1, 4, FEATURES, variant, u_shape=True).eval()
    x = torch.randn(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    told = outputs(network, x)
    assert torch.allclose(told.logits, network(x), atol=1e-5)
    continue_from(build_network(1, 4, FEATURES, u_shape=True), network)


def test_its_levels_lead_to_what_it_says():
    network = build_unet(1, 4, FEATURES, u_shape=True).eval()
    x = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    logits, features = levels(network, x)
    assert torch.equal(logits, network(x))
    assert [each.shape[1] for each in features] == [64, 32, 16, 8, 6]


def test_it_predicts_whole_images_in_windows_as_it_was_trained():
    network = build_unet(1, 4, FEATURES, window=(16, 16), u_shape=True)
    network = Compute(threads=1).place(network).eval()
    assert network(torch.zeros(1, 1, 32, 48)).shape == (1, 4, 32, 48)


def test_plain_networks_keep_the_names_they_had():
    assert "architecture" not in SegmentationConfig().record()
    assert SegmentationConfig(architecture="u-shape").record()["architecture"] == "u-shape"


def test_an_unknown_architecture_is_refused():
    with pytest.raises(SettingError, match="unet, u-shape"):
        SegmentationConfig(architecture="resnet")
