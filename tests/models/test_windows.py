"""Networks of volumes, and prediction in windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.models.unet import build_unet, in_windows
from workbench.models.vae import build_vae
from workbench.models.variants import HeadSettings, Variant, build_network, outputs

FEATURES = (4, 4, 8, 8, 8, 4)


def test_a_unet_of_volumes_keeps_their_shape() -> None:
    network = build_unet(2, 3, FEATURES, dims=3).eval()
    assert network(torch.zeros(1, 2, 16, 32, 16)).shape == (1, 3, 16, 32, 16)


def test_a_vae_of_volumes_gives_them_back_in_their_shape() -> None:
    vae = build_vae(1, (16, 32, 16), 3, (4, 4, 8, 8)).eval()
    x = torch.randn(2, 1, 16, 32, 16)
    reconstruction, mean, _ = vae(x)
    assert reconstruction.shape == x.shape
    assert mean.shape == (2, 3)


def test_windows_are_used_only_where_an_image_is_larger_and_only_to_predict() -> None:
    network = build_unet(1, 2, FEATURES, window=(32, 32))
    assert in_windows(network.eval(), torch.zeros(1, 1, 32, 48))
    assert not in_windows(network.eval(), torch.zeros(1, 1, 32, 32))
    assert not in_windows(network.train(), torch.zeros(1, 1, 32, 48))


def test_what_windows_see_whole_is_predicted_as_without_them() -> None:
    """A 1×1 view: with a network that looks at one pixel only, windows change nothing."""
    whole, windowed = (build_unet(1, 2, FEATURES, window=w).eval() for w in (None, (16, 16)))
    for network in (whole, windowed):
        with torch.no_grad():
            for weight in network.parameters():
                if weight.ndim == 4 and weight.shape[2:] == (3, 3):
                    kernel = torch.zeros_like(weight)
                    kernel[:, :, 1, 1] = weight[:, :, 1, 1]
                    weight.copy_(kernel)
            # nothing from below: upsampled pixels would see their neighbors
            for name in ("upcat_4", "upcat_3", "upcat_2", "upcat_1"):
                for weight in network.get_submodule(name).upsample.parameters():
                    weight.zero_()
    x = torch.randn(1, 1, 48, 64)
    with torch.no_grad():
        torch.testing.assert_close(windowed(x), whole(x), rtol=1e-4, atol=1e-5)


def test_gradients_pass_through_windows() -> None:
    network = build_unet(1, 2, FEATURES, window=(16, 16, 16), dims=3).eval()
    x = torch.randn(1, 1, 32, 16, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x).square().sum(), x)
    assert (gradient.abs().amax(dim=(0, 1)) > 0).float().mean() > 0.99


@pytest.mark.parametrize("window", [None, (16, 16, 16)])
def test_all_that_a_network_tells_it_tells_of_large_volumes_too(
    window: tuple[int, ...] | None,
) -> None:
    variant = Variant(head=HeadSettings())
    network = build_network(1, 3, FEATURES, variant, dims=3, window=window).eval()
    with torch.no_grad():
        told = outputs(network, torch.randn(2, 1, 32, 16, 16))
    assert told.logits.shape == (2, 3, 32, 16, 16)
    assert told.features.shape == (2, 8)
    assert told.predicted_loss is not None
    assert np.isfinite(told.predicted_loss.numpy()).all()
