"""Patches to train on."""

from __future__ import annotations

import pytest
import torch

from workbench.training.patches import cut_patches, passes_of


def make(m: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    places = torch.arange(16 * 24 * 20).reshape(1, 1, 16, 24, 20).float()
    labels = torch.zeros(m, 16, 24, 20, dtype=torch.uint8)
    labels[:, 3, 20, 2] = 1
    return places.expand(m, 1, -1, -1, -1), labels


def test_image_and_labels_are_cut_at_the_same_place() -> None:
    images, labels = make()
    whole = (images[:, 0] == 3 * 24 * 20 + 20 * 20 + 2) == (labels == 1)
    assert whole.all()
    x, y = cut_patches(images, labels, (8, 8, 8), [0, 1, 2, 3], seed=0, round=0, epoch=0)
    assert x.shape == (4, 1, 8, 8, 8)
    assert ((x[:, 0] == 3 * 24 * 20 + 20 * 20 + 2) == (y == 1)).all()


def test_a_patch_depends_on_its_sample_and_the_epoch_alone() -> None:
    images, labels = make()
    x, _ = cut_patches(images, labels, (8, 8, 8), [5, 6, 7, 8], seed=0, round=1, epoch=2)
    alone, _ = cut_patches(images[:1], labels[:1], (8, 8, 8), [7], seed=0, round=1, epoch=2)
    later, _ = cut_patches(images[:1], labels[:1], (8, 8, 8), [7], seed=0, round=1, epoch=3)
    assert torch.equal(x[2], alone[0])
    assert not torch.equal(alone, later)


def test_about_half_of_the_patches_hold_what_is_marked() -> None:
    images, labels = make(64)
    _, y = cut_patches(images, labels, (8, 8, 8), range(64), seed=0, round=0, epoch=0)
    share = (y.flatten(1) > 0).any(dim=1).float().mean()
    assert 0.4 < share < 0.75


def test_a_patch_is_never_larger_than_the_image() -> None:
    images, labels = make(1)
    x, _ = cut_patches(images, labels, (32, 8, 32), [0], seed=0, round=0, epoch=0)
    assert x.shape == (1, 1, 16, 8, 20)


def test_images_without_anything_marked_are_cut_where_chance_says() -> None:
    images, labels = make(8)
    for value in (0, 1):
        labels[:] = value
        x, y = cut_patches(images, labels, (8, 8, 8), range(8), seed=0, round=0, epoch=0)
        assert (y == value).all()
        assert len(torch.unique(x[:, 0, 0, 0, 0])) > 4


@pytest.mark.parametrize(
    ("size", "patch", "passes"),
    [((96, 112), (64, 64), 4), ((64, 64), (64, 64), 1), ((48, 64, 48), (32, 48, 32), 8)],
)
def test_an_epoch_comes_to_an_image_as_often_as_patches_cover_it(size, patch, passes) -> None:
    assert passes_of(size, patch) == passes
    assert passes_of(size, None) == 1
