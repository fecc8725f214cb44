"""The effort predicted from dropout passes, against its definition on whole arrays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from workbench.annotation.effort import measure_effort
from workbench.errors import TrainingError
from workbench.jobs import finish
from workbench.models.variants import reseed_dropout, sampling_copy
from workbench.training.contours import contour
from workbench.training.expected_effort import effort_between, expected_effort

from .test_measures import network
from .toys import ToyImages


def by_definition(maps: np.ndarray, classes: int) -> float:
    """Σ over classes of (mean over ordered pairs of 1 − C / L) times the mean L."""
    total = 0.0
    for k in range(classes - 1):
        pairs = [
            1 - measure_effort(prediction, reference, classes).saved[k]
            for prediction, reference in itertools.permutations(maps, 2)
        ]
        known = [each for each in pairs if not np.isnan(each)]
        length = np.mean([measure_effort(each, each, classes).reference[k] for each in maps])
        total += (np.mean(known) if known else 0.0) * length
    return total


def edges_of(maps: np.ndarray, classes: int) -> list[torch.Tensor]:
    return [
        torch.stack([contour(torch.from_numpy(each) == k) for k in range(1, classes)])[None]
        for each in maps
    ]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_over_pairs_of_passes_weighted_by_predicted_length(seed):
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, 4, (4, 9, 8)).astype(np.uint8)
    maps[0][maps[0] == 3] = 0  # one pass without the last class: its pairs have no value
    assert effort_between(edges_of(maps, 4)).item() == pytest.approx(by_definition(maps, 4))


def test_passes_that_agree_cost_nothing_and_so_does_nothing_at_all():
    square = np.zeros((3, 9, 9), np.uint8)
    assert effort_between(edges_of(square, 3)).item() == 0
    square[:, 2:6, 2:6] = 1
    assert effort_between(edges_of(square, 3)).item() == 0


def test_passes_that_share_no_contour_cost_the_whole_of_it():
    apart = np.zeros((2, 20, 9), np.uint8)
    apart[0, 2:6, 2:6] = apart[1, 10:14, 2:6] = 1
    assert effort_between(edges_of(apart, 2)).item() == 12


def test_a_pool_is_predicted_batch_by_batch_as_by_definition(compute):
    images, model = ToyImages(), network(dropout=0.5)
    with torch.no_grad():  # undecided between the classes, so that passes differ
        model.final_conv.bias.zero_()
    rows = np.array([3, 0, 7, 11, 5])
    found = finish(expected_effort(model, images, rows, compute, 3, (1, 2), batch=2))
    expected = []
    for start in range(0, 5, 2):
        x = torch.from_numpy(images.read(rows[start : start + 2]))
        sampled = sampling_copy(model)
        reseed_dropout(sampled, 1, 2, start)
        passes = []
        for _ in range(3):
            with torch.no_grad():
                passes.append(sampled(x).argmax(dim=1).to(torch.uint8).numpy())
        expected += [by_definition(each, 3) for each in np.stack(passes, axis=1)]
    assert found == pytest.approx(expected)
    assert found.max() > 0


def test_a_network_without_dropout_cannot_tell(compute):
    with pytest.raises(TrainingError, match="without dropout"):
        finish(expected_effort(network(), ToyImages(), [0], compute, 3, (0,)))
