"""Training of the U-Net learns, repeats and resumes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.errors import SettingError, StoreError, TrainingError
from workbench.jobs import finish
from workbench.models.unet import build_unet
from workbench.models.variants import HeadSettings, Variant
from workbench.models.weights import fingerprint
from workbench.training import segmentation
from workbench.training.loop import epoch_batches
from workbench.training.segmentation import SegmentationConfig, train_network

from .toys import ToyImages, ToyLabels

SMALL = SegmentationConfig(features=(4, 4, 4, 4, 4, 4), batch_size=4, epochs=2, min_steps=12)


def train(compute, config=SMALL, rows=range(8), **options):
    images = ToyImages()
    options = {"seed": 0, "round": 0, **options}
    return train_network(images, ToyLabels(images), list(rows), config, compute, **options)


@pytest.fixture
def often(monkeypatch):
    """A checkpoint at every epoch."""
    monkeypatch.setattr(segmentation, "CHECKPOINT_EVERY", 1)


def test_the_loss_falls(compute):
    config = SegmentationConfig(features=(8,) * 6, batch_size=8, min_steps=60, learning_rate=5e-3)
    losses = finish(train(compute, config)).losses
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_every_step_reports_its_loss(compute):
    reports = []
    losses = finish(train(compute), reports.append).losses
    assert [report.metrics["loss"] for report in reports] == list(losses)
    assert [report.step for report in reports] == list(range(1, 13))
    assert {report.total for report in reports} == {12}


@pytest.mark.parametrize(("epochs", "least", "steps"), [(1, 7, 7), (5, 3, 10), (5, 10, 10)])
def test_a_round_never_makes_fewer_steps_than_the_least(compute, epochs, least, steps):
    config = SegmentationConfig(features=(4,) * 6, batch_size=4, epochs=epochs, min_steps=least)
    losses = finish(train(compute, config)).losses
    assert len(losses) == steps


def test_an_epoch_over_patches_makes_as_many_passes_as_cover_an_image(compute):
    images = ToyImages()
    images.arrays = np.tile(images.arrays, (1, 1, 2, 2))
    images.maps = np.tile(images.maps, (1, 2, 2))
    config = replace(SMALL, patch=(16, 16), min_steps=0)
    trained = train_network(
        images, ToyLabels(images), list(range(8)), config, compute, seed=0, round=0
    )
    assert len(finish(trained).losses) == 2 * 4 * 2


def test_the_same_training_gives_the_same_weights(compute):
    first = finish(train(compute)).network
    torch.manual_seed(99)
    second = finish(train(compute)).network
    assert fingerprint(first) == fingerprint(second)


@pytest.mark.parametrize("changed", [{"seed": 1}, {"round": 1}])
def test_seed_and_round_matter(compute, changed):
    assert fingerprint(finish(train(compute)).network) != fingerprint(
        finish(train(compute, **changed)).network
    )


def test_rows_in_any_order_give_the_same_weights(compute):
    first = finish(train(compute, rows=[5, 1, 3])).network
    second = finish(train(compute, rows=[1, 3, 5])).network
    assert fingerprint(first) == fingerprint(second)


def test_training_goes_on_from_a_network_and_leaves_it_alone(compute):
    first = finish(train(compute))
    before = fingerprint(first.network)
    second = finish(train(compute, initial=first.network, round=1))
    assert fingerprint(first.network) == before != fingerprint(second.network)
    assert second.losses[0] < first.losses[0]


def test_training_leaves_the_random_numbers_of_torch_alone(compute):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    finish(train(compute))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("stop", [1, 2, 5, 8, 11, 12])
@pytest.mark.parametrize("continued", [False, True])
def test_a_stopped_round_resumes_to_the_same_weights(compute, tmp_path, stop, continued):
    initial = build_unet(2, 3, SMALL.features, seed=7).eval() if continued else None
    expected = finish(train(compute, initial=initial))
    checkpoint = tmp_path / "round.safetensors"
    work = train(compute, initial=initial, checkpoint=checkpoint)
    for _ in range(stop):
        next(work)
    work.close()
    found = finish(train(compute, initial=initial, checkpoint=checkpoint))
    assert found.losses == expected.losses
    assert fingerprint(found.network) == fingerprint(expected.network)


@pytest.mark.usefixtures("often")
def test_a_finished_round_is_opened_and_not_trained_again(compute, tmp_path):
    checkpoint = tmp_path / "round.safetensors"
    expected = finish(train(compute, checkpoint=checkpoint)).network
    reports = []
    found = finish(train(compute, checkpoint=checkpoint), reports.append).network
    assert not reports
    assert fingerprint(found) == fingerprint(expected)


@pytest.mark.usefixtures("often")
def test_the_checkpoint_of_another_round_is_not_used(compute, tmp_path):
    checkpoint = tmp_path / "round.safetensors"
    finish(train(compute, checkpoint=checkpoint))
    found = finish(train(compute, round=1, checkpoint=checkpoint)).network
    assert fingerprint(found) == fingerprint(finish(train(compute, round=1)).network)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("damage", [b"", b"not weights", None])
def test_a_damaged_checkpoint_is_replaced(compute, tmp_path, damage):
    checkpoint = tmp_path / "round.safetensors"
    work = train(compute, checkpoint=checkpoint)
    for _ in range(6):
        next(work)
    work.close()
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    found = finish(train(compute, checkpoint=checkpoint)).network
    assert fingerprint(found) == fingerprint(finish(train(compute)).network)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("failing", [1, 2, 4])
def test_a_failed_write_leaves_a_round_that_resumes(compute, tmp_path, monkeypatch, failing):
    checkpoint = tmp_path / "round.safetensors"
    write, calls = Path.write_bytes, []

    def fail(path, content):
        calls.append(path)
        if len(calls) == failing:
            write(path, content[:100])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(StoreError, match="No space left on device"):
        finish(train(compute, checkpoint=checkpoint))
    monkeypatch.undo()
    assert checkpoint.exists() == (failing > 1)
    assert os.listdir(tmp_path) == ([checkpoint.name] if failing > 1 else [])
    found = finish(train(compute, checkpoint=checkpoint)).network
    assert fingerprint(found) == fingerprint(finish(train(compute)).network)


def test_one_labeled_slice_is_enough_to_train(compute):
    config = SegmentationConfig(features=(4,) * 6, min_steps=2, epochs=1)
    losses = finish(train(compute, config, rows=[3])).losses
    assert len(losses) == 2


def test_nothing_labeled_is_said(compute):
    with pytest.raises(TrainingError, match="nothing labeled to train on"):
        train(compute, rows=[])


def test_a_row_without_label_is_said(compute):
    images = ToyImages()
    labels = ToyLabels(images)
    labels.available[2] = False
    with pytest.raises(TrainingError, match="1 of 3 images"):
        train_network(images, labels, [1, 2, 3], SMALL, compute, seed=0, round=0)


def test_a_loss_that_is_no_number_stops_the_training(compute):
    images = ToyImages()
    images.arrays[:] = np.nan
    with pytest.raises(TrainingError, match="diverged"):
        finish(train_network(images, ToyLabels(images), [1, 2], SMALL, compute, seed=0, round=0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0},
        {"batch_size": 0},
        {"epochs": 0, "min_steps": 0},
        {"loss": "dice"},
        {"smooth": -1.0},
    ],
)
def test_settings_out_of_range_are_said(wrong):
    with pytest.raises(SettingError):
        SegmentationConfig(**wrong)


def test_the_loss_of_a_step_can_be_that_of_all_its_images_together(compute):
    found, images = {}, ToyImages()
    for together in (True, False):
        settings = {"epochs": 1, "min_steps": 1, "batch_size": 8, "augment": False}
        config = replace(SMALL, **settings, batch_dice=together)
        found[together] = finish(train(compute, config)).losses[0]
    network = build_unet(2, 3, SMALL.features, seed=0).train()
    (batch,) = epoch_batches(np.arange(8), 8, seed=0, round=0, epoch=0)
    logits = network(torch.from_numpy(images.read(batch)))
    target = torch.from_numpy(ToyLabels(images).read(batch))
    below = torch.cat(list(logits), dim=1)[None], torch.cat(list(target), dim=0)[None]
    assert found[True] == pytest.approx(SMALL.criterion(*below).item(), rel=1e-4)
    assert found[False] == pytest.approx(SMALL.criterion(logits, target).mean().item(), rel=1e-4)


def test_a_loss_head_cannot_learn_from_images_taken_together(compute):
    with pytest.raises(TrainingError, match="batch_dice.*loss head"):
        finish(
            train(compute, replace(SMALL, batch_dice=True), variant=Variant(head=HeadSettings()))
        )
