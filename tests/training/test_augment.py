"""Augmentation repeats, and moves labels with their images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.training.augment import Augmentation, augment

from .toys import ToyImages

PLAIN = Augmentation(flip=0, gain=0, shift=0, elastic=0)


def batch(rows):
    images = ToyImages(count=8)
    return torch.from_numpy(images.read(rows)), torch.from_numpy(images.maps[rows])


def test_a_sample_is_varied_alike_alone_and_in_any_batch():
    rows = np.array([3, 0, 5])
    x, y = batch(rows)
    together = augment(x, y, rows, seed=1, round=2, epoch=3)
    alone = augment(x[1:2], y[1:2], rows[1:2], seed=1, round=2, epoch=3)
    assert torch.equal(together[0][1], alone[0][0])
    assert torch.equal(together[1][1], alone[1][0])


@pytest.mark.parametrize("changed", ["seed", "round", "epoch"])
def test_seed_round_and_epoch_each_matter(changed):
    rows = np.arange(4)
    x, y = batch(rows)
    where = {"seed": 1, "round": 1, "epoch": 1}
    first, _ = augment(x, y, rows, **where)
    other, _ = augment(x, y, rows, **{**where, changed: 2})
    assert not torch.equal(first, other)


def test_no_strength_changes_nothing():
    rows = np.arange(4)
    x, y = batch(rows)
    same, same_labels = augment(x, y, rows, seed=0, round=0, epoch=0, strength=PLAIN)
    assert torch.allclose(same, x, atol=1e-5)
    assert torch.equal(same_labels, y)


@pytest.mark.parametrize("elastic", [0.0, 0.03])
def test_labels_move_with_their_images(elastic):
    # The image is its own label map, so it must still be after flips and deformation.
    rows = np.arange(8)
    _, y = batch(rows)
    image = (y > 0).float()[:, None].repeat(1, 2, 1, 1)
    strength = Augmentation(flip=0.5, gain=0, shift=0, elastic=elastic)
    moved, labels = augment(image, y, rows, seed=0, round=0, epoch=0, strength=strength)
    agree = (moved[:, 0] > 0.5) == (labels > 0)
    assert agree.float().mean() > 0.98
    assert not torch.equal(labels, y)


def test_labels_keep_their_values_and_type():
    rows = np.arange(8)
    x, y = batch(rows)
    _, labels = augment(x, y, rows, seed=0, round=0, epoch=0)
    assert labels.dtype == y.dtype
    assert set(labels.unique().tolist()) <= {0, 1, 2}


def test_both_flips_happen():
    image = torch.arange(16.0).view(1, 1, 4, 4).repeat(40, 1, 1, 1) + 1
    strength = Augmentation(flip=0.5, gain=0, shift=0, elastic=0)
    label = torch.zeros(40, 4, 4, dtype=torch.uint8)
    moved, _ = augment(image, label, range(40), seed=0, round=0, epoch=0, strength=strength)
    corners = {round(float(corner)) for corner in moved[:, 0, 0, 0]}
    assert corners == {1, 4, 13, 16}


def test_background_stays_zero_when_intensity_varies():
    image = torch.zeros(2, 1, 16, 16)
    image[:, :, 4:12, 4:12] = 1
    strength = Augmentation(flip=0, gain=0.2, shift=0.2, elastic=0)
    label = torch.zeros(2, 16, 16, dtype=torch.uint8)
    varied, _ = augment(image, label, range(2), seed=0, round=0, epoch=0, strength=strength)
    assert varied[:, :, :3, :3].abs().max() == 0
    assert not torch.allclose(varied[:, :, 6:10, 6:10], torch.ones(()))


def halves(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Slices with class 1 in the left half of the picture and class 2 in the right one."""
    labels = torch.ones(count, 8, 8, dtype=torch.uint8)
    labels[:, :, 4:] = 2
    return labels[:, None].float(), labels


def test_a_flip_across_the_midline_swaps_left_and_right():
    image, label = halves(40)
    strength = Augmentation(flip=0.5, gain=0, shift=0, elastic=0)
    where = {"seed": 0, "round": 0, "epoch": 0, "strength": strength}
    moved, labels = augment(image, label, range(40), mirrored=(0, 2, 1), **where)
    flipped = moved[:, 0, 0, 0] == 2
    assert 5 < int(flipped.sum()) < 35
    assert torch.equal(labels, label)  # the left half of the picture is class 1 for ever
    assert labels.dtype == label.dtype
    plain, plain_labels = augment(image, label, range(40), mirrored=(0, 1, 2), **where)
    assert torch.equal(plain, moved)
    assert torch.equal(plain_labels[:, None].float(), plain)


def test_without_a_partner_nothing_is_flipped_across_the_midline():
    image, label = halves(40)
    strength = Augmentation(flip=1, gain=0, shift=0, elastic=0)
    where = {"seed": 0, "round": 0, "epoch": 0, "strength": strength}
    moved, labels = augment(image, label, range(40), mirrored=None, **where)
    assert torch.equal(moved, image)
    assert torch.equal(labels, label)
