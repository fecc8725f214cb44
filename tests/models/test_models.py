"""Networks have the shapes and seeds they promise, and survive being kept."""

from __future__ import annotations

import copy

import pytest
import torch

from workbench.errors import SettingError, StoreError
from workbench.models.compute import Compute
from workbench.models.unet import build_unet
from workbench.models.vae import build_vae
from workbench.models.weights import (
    fingerprint,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)

TINY = (4, 4, 4, 4, 4, 4)


@pytest.mark.parametrize("size", [(32, 32), (16, 48), (17, 30)])
def test_the_unet_gives_a_logit_for_each_class_and_pixel(size):
    network = build_unet(2, 3, TINY).eval()
    assert network(torch.zeros(2, 2, *size)).shape == (2, 3, *size)


def test_leaving_out_empty_padding_changes_no_logit():
    network = build_unet(1, 2, TINY).eval()
    plain = copy.deepcopy(network)
    plain._forward_pre_hooks.clear()
    image = torch.randn(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(image), plain(image))


@pytest.mark.parametrize("size", [(16, 16), (48, 64), (80, 32)])
@pytest.mark.parametrize("z_dim", [1, 3, 10])
def test_the_vae_takes_any_multiple_of_16(size, z_dim):
    vae = build_vae(2, size, z_dim, (4, 4, 8, 8)).eval()
    reconstruction, mean, logvar = vae(torch.zeros(3, 2, *size))
    assert reconstruction.shape == (3, 2, *size)
    assert mean.shape == logvar.shape == (3, z_dim)


def test_the_vae_without_noise_decodes_the_mean():
    vae = build_vae(1, (16, 16), 2, (4, 4, 4, 4)).eval()
    image = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(vae(image)[0], vae.decode(vae.encode(image)[0]))
    assert not torch.equal(vae(image, torch.ones(2, 2))[0], vae(image)[0])


@pytest.mark.parametrize("build", [build_unet, build_vae])
def test_a_seed_decides_the_weights_and_disturbs_nothing(build):
    arguments = (1, 2, TINY) if build is build_unet else (1, (16, 16), 2, (4, 4, 4, 4))
    torch.manual_seed(1)
    first = fingerprint(build(*arguments, seed=3))
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    assert fingerprint(build(*arguments, seed=3)) == first
    assert fingerprint(build(*arguments, seed=4)) != first


@pytest.mark.parametrize("size", [(8, 16), (30, 32), (0, 16)])
def test_a_size_the_vae_cannot_halve_is_said(size):
    with pytest.raises(SettingError, match="multiples of 16"):
        build_vae(1, size, 2)


def test_a_cohort_without_foreground_class_is_said():
    with pytest.raises(SettingError, match="at least one foreground class"):
        build_unet(1, 1)


def test_weights_come_back_with_their_metadata(tmp_path):
    path = tmp_path / "deep" / "unet.safetensors"
    network = build_unet(1, 2, TINY, seed=1)
    save_weights(network, path, {"dice": 0.5})
    other = build_unet(1, 2, TINY, seed=2)
    assert load_weights(other, path) == {"dice": 0.5}
    assert fingerprint(other) == fingerprint(network)


def test_weights_of_another_network_are_said(tmp_path):
    save_weights(build_unet(1, 2, TINY), tmp_path / "w.safetensors")
    with pytest.raises(StoreError, match="another network"):
        load_weights(build_unet(1, 3, TINY), tmp_path / "w.safetensors")


def test_damaged_weights_are_said(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(StoreError, match="cannot be read as network weights"):
        load_weights(build_unet(1, 2, TINY), tmp_path / "w.safetensors")


def test_a_checkpoint_brings_back_weights_and_adam(tmp_path):
    compute = Compute()

    def step(network, optimizer):
        optimizer.zero_grad()
        image = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        torch.autograd.backward(network(compute.tensor(image)).square().mean())
        optimizer.step()

    networks, optimizers = [], []
    for seed in (1, 2):
        networks.append(compute.place(build_unet(1, 2, TINY, seed=seed)))
        optimizers.append(torch.optim.Adam(networks[-1].parameters(), fused=True))
    path = tmp_path / "c.safetensors"
    step(networks[0], optimizers[0])
    save_checkpoint(path, "key", networks[0], optimizers[0], {"epoch": 1})
    assert load_checkpoint(path, "other", networks[1], optimizers[1]) is None
    assert load_checkpoint(path, "key", networks[1], optimizers[1]) == {"epoch": 1}
    for network, optimizer in zip(networks, optimizers, strict=True):
        step(network, optimizer)
    assert fingerprint(networks[0]) == fingerprint(networks[1])


def test_compute_places_images_channels_last_and_says_what_it_is():
    compute = Compute("cpu", "float32", True, 1)
    image = compute.tensor(torch.zeros(2, 3, 16, 16))
    assert image.is_contiguous(memory_format=torch.channels_last)
    assert dict(compute.record()) == {
        "device": "cpu",
        "precision": "float32",
        "channels_last": True,
        "threads": 1,
    }


def test_bfloat16_is_used_inside_autocast_only():
    compute = Compute("cpu", "bfloat16", True, 1)
    network = compute.place(build_unet(1, 2, TINY)).eval()
    with torch.no_grad(), compute.autocast():
        assert network(torch.zeros(1, 1, 16, 16)).dtype == torch.bfloat16
    assert next(network.parameters()).dtype == torch.float32


def test_detection_takes_what_is_asked_for():
    assert Compute.detect(threads=1, precision="float32") == Compute("cpu", "float32", True, 1)


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"precision": "float16"}])
def test_compute_out_of_range_is_said(wrong):
    with pytest.raises(SettingError):
        Compute.detect(**wrong)
