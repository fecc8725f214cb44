"""Training of the networks that strategies ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from workbench.jobs import finish
from workbench.models.variants import PLAIN, Ensemble, HeadSettings, Variant, build_network, outputs
from workbench.models.weights import fingerprint
from workbench.training import segmentation
from workbench.training.loop import backward_bounded
from workbench.training.losses import dice_loss, ranking_loss
from workbench.training.segmentation import SegmentationConfig, train_network

from .toys import ToyImages, ToyLabels

SMALL = SegmentationConfig(features=(4, 4, 4, 4, 4, 4), batch_size=4, epochs=2, min_steps=10)
VARIANTS = {
    "dropout": Variant(dropout=0.5),
    "head": Variant(head=HeadSettings()),
    "ensemble": Variant(members=2),
}


def train(compute, variant=PLAIN, config=SMALL, rows=range(8), **options):
    images = ToyImages()
    options = {"seed": 0, "round": 0, **options}
    return train_network(
        images, ToyLabels(images), list(rows), config, compute, variant=variant, **options
    )


def test_the_ranking_loss_of_pairs_worked_out_by_hand():
    predicted = torch.tensor([1.0, 0.2, 0.9, 0.7], requires_grad=True)
    losses = torch.tensor([0.5, 0.3, 0.1, 0.6])
    # First with last: 0.5 < 0.6, predicted 0.3 too high: 0.5 + 0.3. Inner pair: 0.3 > 0.1,
    # predicted 0.7 too low: 0.5 + 0.7.
    found = ranking_loss(predicted, losses)
    assert found.item() == pytest.approx((0.8 + 1.2) / 2)
    found.backward()
    assert predicted.grad.tolist() == pytest.approx([0.5, -0.5, 0.5, -0.5])


def test_pairs_in_the_right_order_by_the_margin_cost_nothing():
    assert ranking_loss(torch.tensor([0.9, 0.1]), torch.tensor([2.0, 1.0])).item() == 0.0
    close = ranking_loss(torch.tensor([0.3, 0.1]), torch.tensor([2.0, 1.0]))
    assert close.item() == pytest.approx(0.3)


def test_the_ranking_loss_of_one_sample_is_nothing_and_of_three_that_of_the_outer_pair():
    assert ranking_loss(torch.ones(1), torch.ones(1)).item() == 0.0
    three = ranking_loss(torch.tensor([0.0, 9.0, 1.0]), torch.tensor([1.0, 0.0, 2.0]), 0.5)
    assert three.item() == 0.0


def test_no_gradient_of_the_ranking_loss_reaches_the_losses():
    losses = torch.tensor([1.0, 2.0], requires_grad=True)
    predicted = torch.tensor([0.0, 0.0], requires_grad=True)
    ranking_loss(predicted, losses).backward()
    assert losses.grad is None


@pytest.mark.parametrize("name", VARIANTS)
def test_any_variant_learns_and_repeats(compute, name):
    config = SegmentationConfig(features=(8,) * 6, batch_size=8, min_steps=60, learning_rate=5e-3)
    first = finish(train(compute, VARIANTS[name], config))
    torch.manual_seed(99)
    second = finish(train(compute, VARIANTS[name], config))
    assert np.mean(first.losses[-5:]) < 0.8 * np.mean(first.losses[:5])
    assert fingerprint(first.network) == fingerprint(second.network)
    assert not first.network.training


def test_the_loss_head_is_trained_too_and_keeps_its_curve(compute):
    reports = []
    trained = finish(train(compute, VARIANTS["head"]), reports.append)
    assert len(trained.head_losses) == len(trained.losses) == 10
    assert [each.metrics["ranking loss"] for each in reports] == list(trained.head_losses)
    assert [each.metrics["loss"] for each in reports] == list(trained.losses)
    untrained = build_network(2, 3, SMALL.features, VARIANTS["head"])
    assert not torch.equal(trained.network.head.last.weight, untrained.head.last.weight)


def test_the_loss_head_learns_to_rank_images_it_was_not_trained_on(compute):
    images = ToyImages(count=24)
    blurred = np.arange(len(images.arrays)) % 2 == 1  # every other one says little of its labels
    noise = np.random.default_rng(0).standard_normal(images.arrays[blurred].shape)
    images.arrays[blurred] = 0.3 * images.arrays[blurred] + 0.5 * noise
    config = replace(SMALL, features=(8,) * 6, batch_size=8, min_steps=80, learning_rate=5e-3)
    work = train_network(
        images, ToyLabels(images), range(8), config, compute, variant=VARIANTS["head"],
        seed=0, round=0,
    )  # fmt: skip
    trained = finish(work)
    assert np.mean(trained.head_losses[-20:]) < 0.45  # 0.5 where nothing is known
    with torch.no_grad():
        told = outputs(trained.network, torch.from_numpy(images.arrays[8:]))
    losses = dice_loss(told.logits, torch.from_numpy(images.maps[8:]))
    assert spearmanr(told.predicted_loss, losses).statistic > 0.5
    print(
        np.mean(trained.head_losses[-20:]),
        np.mean(trained.head_losses[:20]),
        spearmanr(told.predicted_loss, losses),
        losses,
        trained.losses[-3:],
    )


def test_a_stopped_head_leaves_the_unet_as_a_plain_training_would(compute):
    plain = finish(train(compute))
    stopped = finish(train(compute, Variant(head=HeadSettings(stop=0.0))))
    joint = finish(train(compute, Variant(head=HeadSettings(stop=1.0))))
    assert fingerprint(stopped.network.unet) == fingerprint(plain.network)
    assert fingerprint(joint.network.unet) != fingerprint(plain.network)


def gradients(network, x, y, bound):
    """Of the Dice loss in the U-Net, of the ranking loss there, and what is left in both."""
    unet, head = list(network.unet.parameters()), list(network.head.parameters())
    logits, predicted = network.with_loss(x)
    each = dice_loss(logits, y)
    ranking = ranking_loss(predicted, each)
    kept = {"retain_graph": True, "materialize_grads": True}
    dice = torch.autograd.grad(each.mean(), unet, **kept)
    aside = torch.autograd.grad(ranking, [*unet, *head], **kept)
    network.zero_grad()
    backward_bounded(each.mean(), ranking, unet, bound)
    left = torch.cat([p.grad.flatten() for p in unet])
    in_head = torch.cat([p.grad.flatten() for p in head])
    parts = (dice, aside[: len(unet)], aside[len(unet) :])
    return *(torch.cat([each.flatten() for each in part]) for part in parts), left, in_head


@pytest.fixture
def ranked():
    """A network with a loss head, and images whose losses it orders wrongly in part."""
    images = ToyImages()
    network = build_network(2, 3, SMALL.features, VARIANTS["head"])
    return network.train(), torch.from_numpy(images.arrays[:8]), torch.from_numpy(images.maps[:8])


def test_the_ranking_loss_enters_the_unet_with_no_more_than_its_share_of_the_gradient(ranked):
    dice, aside, in_head, left, left_in_head = gradients(*ranked, bound=0.1)
    assert aside.norm() > dice.norm()  # or there would be nothing to bound
    entered = left - dice
    assert entered.norm().item() == pytest.approx(0.1 * dice.norm().item(), rel=1e-4)
    torch.testing.assert_close(entered / entered.norm(), aside / aside.norm())
    torch.testing.assert_close(left_in_head, in_head)
    assert torch.dot(left, dice) > 0


def test_under_a_wide_bound_the_gradient_is_that_of_the_sum(ranked):
    dice, aside, in_head, left, left_in_head = gradients(*ranked, bound=1e9)
    torch.testing.assert_close(left, dice + aside)
    torch.testing.assert_close(left_in_head, in_head)


def test_every_step_keeps_the_bound_of_its_head(compute, monkeypatch):
    bounds = []

    def watched(loss, aside, shared, bound):
        bounds.append((bound, len(shared)))
        backward_bounded(loss, aside, shared, bound)

    monkeypatch.setattr(segmentation, "backward_bounded", watched)
    trained = finish(train(compute, Variant(head=HeadSettings(bound=0.3))))
    parameters = len(list(trained.network.unet.parameters()))
    assert bounds == [(0.3, parameters)] * len(trained.losses)


def test_learning_to_rank_does_not_cost_the_segmentation(compute):
    config = SegmentationConfig(features=(8,) * 6, batch_size=8, min_steps=80, learning_rate=5e-3)
    plain, bounded, unbounded = (
        np.mean(finish(train(compute, variant, config, seed=1)).losses[-20:])
        for variant in (PLAIN, VARIANTS["head"], Variant(head=HeadSettings(bound=1e9)))
    )
    assert bounded < plain + 0.01 < unbounded  # measured 0.067, 0.067 and 0.083


def test_the_gradient_of_the_head_ends_after_its_share_of_the_steps(compute, monkeypatch):
    detached = []
    from workbench.models.variants import UNetWithLossHead

    plainly = UNetWithLossHead.with_loss

    def watched(network, x, stop=False):
        detached.append(stop)
        return plainly(network, x, stop)

    monkeypatch.setattr(UNetWithLossHead, "with_loss", watched)
    finish(train(compute, VARIANTS["head"]))
    assert detached == [False] * 6 + [True] * 4


def test_each_member_is_trained_on_a_bootstrap_of_its_own(compute, monkeypatch):
    seen = []
    batches = segmentation.epoch_batches

    def watched(rows, *args, **options):
        seen.append(tuple(rows))
        return batches(rows, *args, **options)

    monkeypatch.setattr(segmentation, "epoch_batches", watched)
    finish(train(compute, VARIANTS["ensemble"]))
    bootstraps = list(dict.fromkeys(seen))
    assert len(bootstraps) == 2
    for rows in bootstraps:
        assert len(rows) == 8
        assert set(rows) <= set(range(8))
        assert len(set(rows)) < 8


def test_the_loss_of_an_ensemble_is_the_mean_and_its_progress_goes_on(compute):
    reports = []
    trained = finish(train(compute, VARIANTS["ensemble"]), reports.append)
    assert isinstance(trained.network, Ensemble)
    assert [each.step for each in reports] == list(range(1, 21))
    assert {each.total for each in reports} == {20}
    curves = np.array([each.metrics["loss"] for each in reports]).reshape(2, 10)
    assert list(trained.losses) == pytest.approx(curves.mean(axis=0).tolist())


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("stop", [3, 10, 11, 15])
def test_a_stopped_training_of_any_variant_resumes_to_the_same_weights(
    compute, name, stop, tmp_path, monkeypatch
):
    monkeypatch.setattr(segmentation, "CHECKPOINT_EVERY", 1)
    initial = build_network(2, 3, SMALL.features, VARIANTS[name], seed=7)
    expected = finish(train(compute, VARIANTS[name], initial=initial))
    checkpoint = tmp_path / "checkpoint.safetensors"
    work = train(compute, VARIANTS[name], initial=initial, checkpoint=checkpoint)
    for _, _ in zip(range(stop), work, strict=False):
        pass
    work.close()
    found = finish(train(compute, VARIANTS[name], initial=initial, checkpoint=checkpoint))
    assert found.losses == expected.losses
    assert found.head_losses == expected.head_losses
    assert fingerprint(found.network) == fingerprint(expected.network)
