"""Scores of volumes and slices, with the rules for empties."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.cohort.cohort import IGNORED
from workbench.errors import TrainingError
from workbench.jobs import finish
from workbench.training.losses import dice_loss
from workbench.training.metrics import METRICS, dice, evaluate, mean_dice, score_cases
from workbench.training.predict import predict, score_rows
from workbench.training.surfaces import surface_distances

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
    found = finish(score_cases(Threshold(), images, labels, compute, batch=3))
    predicted = finish(predict(Threshold(), images, range(8), compute))
    assert list(found) == ["case_0", "case_1"]
    for number, scores in enumerate(found.values()):
        rows = images.case_of == number
        assert scores["core"]["dice"] == dice(predicted[rows] == 2, images.maps[rows] == 2)
        assert scores["whole"]["dice"] == dice(predicted[rows] > 0, images.maps[rows] > 0)


@pytest.mark.parametrize("batch", [1, 3, 8, 100])
def test_scores_do_not_depend_on_the_batch(compute, batch):
    images = ToyImages(12)
    labels = ToyLabels(images)
    found = finish(score_cases(Threshold(), images, labels, compute, batch=batch))
    assert found == finish(score_cases(Threshold(), images, labels, compute, batch=5))
    assert all(set(scores["core"]) == set(METRICS) for scores in found.values())


def test_distances_are_those_of_the_stacked_volume_in_millimeters(compute):
    images = ToyImages(8)
    labels = ToyLabels(images)
    found = finish(score_cases(Threshold(), images, labels, compute))
    predicted = finish(predict(Threshold(), images, range(4), compute))
    hd, hd95 = surface_distances(predicted == 2, images.maps[:4] == 2, images.spacing[0])
    assert (found["case_0"]["core"]["hd"], found["case_0"]["core"]["hd95"]) == (hd, hd95)


def test_evaluation_is_the_mean_over_cases_and_then_over_regions(compute):
    images = ToyImages(8)
    scores = finish(score_cases(Threshold(), images, ToyLabels(images), compute))
    found = finish(evaluate(Threshold(), images, ToyLabels(images), compute))
    core = [case["core"]["dice"] for case in scores.values()]
    assert found["core"] == pytest.approx(sum(core) / 2)
    assert found["mean"] == pytest.approx((found["core"] + found["whole"]) / 2)
    assert found == mean_dice(scores)


def test_a_region_in_neither_volume_is_right_and_in_one_of_them_a_counted_penalty(compute):
    images = ToyImages(8)
    images.arrays[:4], images.maps[:4] = 0, 0
    found = finish(score_cases(Threshold(), images, ToyLabels(images), compute))
    right = {"dice": 1.0, "hd": 0.0, "hd95": 0.0, "one_empty": 0.0}
    assert found["case_0"]["core"] == right
    images.maps[0, 3, 3] = 2
    found = finish(score_cases(Threshold(), images, ToyLabels(images), compute))
    diagonal = pytest.approx(np.sqrt((4 * 3) ** 2 + (16 * 1) ** 2 + (16 * 2) ** 2))
    missed = {"dice": 0.0, "hd": diagonal, "hd95": diagonal, "one_empty": 1.0}
    assert found["case_0"]["core"] == missed


def test_a_slice_without_label_is_background_between_its_neighbors(compute):
    images = ToyImages(4)
    labels = ToyLabels(images)
    labels.available[1] = False
    found = finish(score_cases(Threshold(), images, labels, compute))["case_0"]["core"]
    predicted = finish(predict(Threshold(), images, range(4), compute))
    p, r = predicted == 2, images.maps == 2
    p[1] = r[1] = False
    assert (found["hd"], found["hd95"]) == surface_distances(p, r, images.spacing[0])


def test_slices_without_label_score_nan_and_are_left_out_of_volumes(compute):
    images = ToyImages(8)
    labels = ToyLabels(images)
    labels.available[4:] = False
    scores = finish(score_rows(Threshold(), images, labels, range(8), compute))
    assert np.isnan(scores["dice"]).tolist() == [False] * 4 + [True] * 4
    assert list(finish(score_cases(Threshold(), images, labels, compute))) == ["case_0"]


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


def test_ignored_voxels_count_neither_in_volumes_nor_in_slices(compute):
    images = ToyImages(8)
    labels = ToyLabels(images)
    images.maps[:, :3] = IGNORED
    found = finish(score_cases(Threshold(), images, labels, compute))
    rows = finish(score_rows(Threshold(), images, labels, range(8), compute))
    predicted = finish(predict(Threshold(), images, range(8), compute))[:, 3:]
    reference = images.maps[:, 3:]
    for number, scores in enumerate(found.values()):
        mine = images.case_of == number
        assert scores["whole"]["dice"] == dice(predicted[mine] > 0, reference[mine] > 0)
    each = [dice(predicted[row] > 0, reference[row] > 0) for row in range(8)]
    assert rows["dice"] == pytest.approx(each)
