"""Networks with dropout, a loss head or several members are used like a plain U-Net."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from workbench.errors import TrainingError
from workbench.models.unet import build_unet, levels
from workbench.models.variants import (
    PLAIN,
    Ensemble,
    HeadSettings,
    SeededDropout,
    UNetWithLossHead,
    Variant,
    build_network,
    continue_from,
    outputs,
    reseed_dropout,
    sampling_copy,
    variant_of,
)
from workbench.models.weights import fingerprint, load_weights, save_weights

TINY = (4, 4, 6, 8, 10, 5)
VARIANTS = {
    "plain": PLAIN,
    "dropout": Variant(dropout=0.3),
    "head": Variant(head=HeadSettings(0.4, 2.0, 0.5)),
    "ensemble": Variant(members=3),
    "ensemble of heads": Variant(members=2, dropout=0.5, head=HeadSettings()),
}


def build(name, seed=0, channels=2, features=TINY):
    return build_network(channels, 3, features, VARIANTS[name], seed).eval()


@pytest.fixture
def x():
    return torch.randn(4, 2, 20, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", VARIANTS)
def test_any_variant_maps_images_to_logits(name, x):
    with torch.no_grad():
        logits = build(name)(x)
    assert logits.shape == (4, 3, 20, 32)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_any_variant_can_be_told_from_its_network(name):
    assert variant_of(build(name)) == VARIANTS[name]


@pytest.mark.parametrize("name", VARIANTS)
def test_any_variant_survives_being_saved(name, tmp_path):
    network, other = build(name, seed=1), build(name, seed=2)
    save_weights(network, tmp_path / "w.safetensors")
    load_weights(other, tmp_path / "w.safetensors")
    assert fingerprint(other) == fingerprint(network)


@pytest.mark.parametrize("name", ["dropout", "head", "ensemble", "ensemble of heads"])
def test_at_one_seed_all_variants_start_from_the_same_unet(name):
    network = build(name, seed=5)
    while isinstance(network, Ensemble):
        network = network.members[0]
    unet = network.unet if isinstance(network, UNetWithLossHead) else network
    assert fingerprint(unet) == fingerprint(build("plain", seed=5))


def test_members_start_from_weights_of_their_own():
    assert len({fingerprint(member) for member in build("ensemble").members}) == 3


def test_an_ensemble_says_the_mean_probability_of_its_members(x):
    network = build("ensemble")
    with torch.no_grad():
        expected = torch.stack([torch.softmax(each(x), dim=1) for each in network.members])
        found = torch.softmax(network(x), dim=1)
        told = outputs(network, x)
    torch.testing.assert_close(found, expected.mean(dim=0))
    torch.testing.assert_close(told.members, expected)
    torch.testing.assert_close(told.logits, network(x))


@pytest.mark.parametrize("size", [(16, 32), (20, 27)])
def test_levels_lead_to_the_logits_of_the_network(size):
    network = build_unet(2, 3, TINY).eval()
    x = torch.randn(2, 2, *size)
    with torch.no_grad():
        logits, features = levels(network, x)
        assert torch.equal(logits, network(x))
    assert [each.shape[1] for each in features] == [10, 8, 6, 4, 5]
    assert [each.shape[2] for each in features][::-1] == [size[0] // 2**k for k in range(5)]


def test_features_are_the_pooled_bottleneck_those_of_members_side_by_side(x):
    network = build("ensemble")
    with torch.no_grad():
        parts = [levels(member, x)[1][0].mean(dim=(2, 3)) for member in network.members]
        torch.testing.assert_close(outputs(network, x).features, torch.cat(parts, dim=1))


def test_the_loss_head_is_pooling_a_linear_layer_and_relu_for_each_level(x):
    network = build("head")
    head = network.head
    with torch.no_grad():
        features = levels(network.unet, x)[1]
        seen = [
            torch.relu(each.mean(dim=(2, 3)) @ part.weight.T + part.bias)
            for each, part in zip(features, head.parts, strict=True)
        ]
        expected = torch.cat(seen, dim=1) @ head.last.weight[0] + head.last.bias
        torch.testing.assert_close(network.with_loss(x)[1], expected)
        torch.testing.assert_close(outputs(network, x).predicted_loss, expected)


@pytest.mark.parametrize("detached", [False, True])
def test_a_detached_loss_head_sends_no_gradient_into_the_unet(x, detached):
    network = build("head")
    _, predicted = network.with_loss(x, detached)
    predicted.sum().backward()
    reached = [p.grad is not None and p.grad.abs().sum() > 0 for p in network.unet.parameters()]
    assert any(reached) == (not detached)
    assert all(p.grad is not None for p in network.head.parameters())


# ---------------------------------------------------------------- dropout
def test_dropout_drops_its_share_and_keeps_the_mean():
    layer = SeededDropout(0.3).train()
    dropped = layer(torch.ones(200_000))
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(layer.eval()(torch.ones(5)), torch.ones(5))


def test_the_inner_blocks_end_in_dropout_and_no_weight_gets_another_name():
    network = build("dropout")
    ends = [name for name, layer in network.named_modules() if isinstance(layer, SeededDropout)]
    inner = ("down_3", "down_4", "upcat_4", "upcat_3")
    assert ends == [f"{block}.convs.dropout" for block in inner]
    assert list(network.state_dict()) == list(build("plain").state_dict())


def test_samples_repeat_with_their_seed_and_differ_from_pass_to_pass(x):
    network = build("dropout")

    def two_passes(*seed):
        sampled = sampling_copy(network)
        reseed_dropout(sampled, *seed)
        with torch.no_grad():
            return sampled(x), sampled(x)

    torch.manual_seed(7)
    first, second = two_passes(3, 1)
    torch.manual_seed(8)
    again, _ = two_passes(3, 1)
    other, _ = two_passes(3, 2)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_sampling_leaves_all_but_dropout_in_eval_mode(x):
    network = build("dropout").train()
    before = copy.deepcopy(network.state_dict())
    sampled = sampling_copy(network)
    with torch.no_grad():
        sampled(x)
    training = {type(layer) for layer in sampled.modules() if layer.training}
    assert training == {SeededDropout}
    assert all(layer.training for layer in network.modules()), "the given network is as it was"
    norms = [name for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms
    after = sampled.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


# ---------------------------------------------------------------- going on
@pytest.mark.parametrize("before", VARIANTS)
@pytest.mark.parametrize("after", VARIANTS)
def test_any_variant_goes_on_from_any_other(before, after):
    initial, network = build(before, seed=1), build(after, seed=2)
    kept = fingerprint(initial)
    continue_from(network, initial)
    assert fingerprint(initial) == kept

    def unet(module):
        module = module.members[0] if isinstance(module, Ensemble) else module
        return module.unet if isinstance(module, UNetWithLossHead) else module

    assert fingerprint(unet(network)) == fingerprint(unet(initial))
    if before == after:
        assert fingerprint(network) == kept


def test_a_network_of_another_size_is_refused():
    with pytest.raises(TrainingError, match="other channels, classes or widths"):
        continue_from(build("plain"), build("plain", channels=1))
