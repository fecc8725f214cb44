"""Dice of volumes and slices, with the rule for empties."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.errors import TrainingError
from workbench.jobs import finish
from workbench.training.losses import dice_loss
from workbench.training.metrics import dice, dice_by_case, evaluate
from workbench.training.predict import predict, score_rows

from .toys import ToyImages, ToyLabels


class Threshold(torch.nn.Module):
    """Predicts the class that the first channel is nearest to, and so nearly the labels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        classes = torch.tensor([0.0, 1.0, 2.0])[:, None, None]
        return -100 * (x[:, :1] - classes).square()


@pytest.mark.parametrize(
    ("p", "r", "expected"),
    [
        ([0, 0], [0, 0], 1.0),
        ([1, 0], [0, 0], 0.0),
        ([0, 0], [1, 0], 0.0),
        ([1, 1, 0], [0, 1, 0], 2 / 3),
        ([1, 1], [1, 1], 1.0),
    ],
)
def test_dice_counts_two_empty_masks_as_one(p, r, expected):
    assert dice(p, r) == pytest.approx(expected)


def test_dice_is_that_of_volumes_and_not_the_mean_of_slices(compute):
    images = ToyImages(8)
    labels = ToyLabels(images)
    found = finish(dice_by_case(Threshold(), images, labels, compute, batch=3))
    predicted = finish(predict(Threshold(), images, range(8), compute))
    for case in (0, 1):
        rows = images.case_of == case
        assert found["core"][case] == pytest.approx(
            dice(predicted[rows] == 2, images.maps[rows] == 2)
        )
        assert found["whole"][case] == pytest.approx(
            dice(predicted[rows] > 0, images.maps[rows] > 0)
        )


def test_evaluation_is_the_mean_over_cases_and_then_over_regions(compute):
    images = ToyImages(8)
    by_case = finish(dice_by_case(Threshold(), images, ToyLabels(images), compute))
    found = finish(evaluate(Threshold(), images, ToyLabels(images), compute))
    assert found["core"] == pytest.approx(by_case["core"].mean())
    assert found["mean"] == pytest.approx((found["core"] + found["whole"]) / 2)


def test_a_case_in_which_a_region_is_in_neither_counts_as_one(compute):
    images = ToyImages(8)
    images.arrays[:4], images.maps[:4] = 0, 0
    found = finish(dice_by_case(Threshold(), images, ToyLabels(images), compute))
    assert found["core"][0] == 1.0


def test_slices_without_label_score_nan_and_are_left_out_of_volumes(compute):
    images = ToyImages(8)
    labels = ToyLabels(images)
    labels.available[4:] = False
    scores = finish(score_rows(Threshold(), images, labels, range(8), compute))
    assert np.isnan(scores["dice"]).tolist() == [False] * 4 + [True] * 4
    assert len(finish(dice_by_case(Threshold(), images, labels, compute))["core"]) == 1


def test_slice_scores_are_foreground_dice_and_loss(compute):
    images = ToyImages(8)
    images.arrays[0], images.maps[0] = 0, 0
    labels = ToyLabels(images)
    rows = np.array([5, 0, 2])
    scores = finish(score_rows(Threshold(), images, labels, rows, compute, batch=2))
    predicted = finish(predict(Threshold(), images, rows, compute))
    expected = [dice(p > 0, r > 0) for p, r in zip(predicted, images.maps[rows], strict=True)]
    assert scores["dice"] == pytest.approx(expected)
    assert scores["dice"][1] == 1.0
    logits = Threshold()(torch.from_numpy(images.read(rows)))
    losses = dice_loss(logits, torch.from_numpy(images.maps[rows]))
    assert scores["loss"] == pytest.approx(losses.numpy(), abs=1e-5)


def test_prediction_is_the_same_in_any_batch(compute):
    images = ToyImages(8)
    one = finish(predict(Threshold(), images, [7, 1, 3], compute, batch=1))
    all_at_once = finish(predict(Threshold(), images, [7, 1, 3], compute, batch=8))
    assert one.dtype == np.uint8
    assert np.array_equal(one, all_at_once)


def test_nothing_to_predict_is_an_empty_array(compute):
    assert finish(predict(Threshold(), ToyImages(), [], compute)).shape == (0, 16, 16)


def test_nothing_to_score_on_is_said(compute):
    images = ToyImages()
    labels = ToyLabels(images)
    labels.available[:] = False
    with pytest.raises(TrainingError, match="no labeled case"):
        finish(evaluate(Threshold(), images, labels, compute))
