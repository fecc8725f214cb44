"""What random choice would have reached with as many labels: the honest yardstick.

The first round is common to every strategy. For each later one the same number
of slices is drawn at random, and the network of that round's strategy trained on
them in the background, so that a person sees whether the suggestions help *their* data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.jobs import Work
from workbench.rounds import Round, train_model
from workbench.study import Study
from workbench.training.metrics import evaluate

__all__ = ["random_curve"]


def random_curve(
    study: Study, rounds: Sequence[Round], continue_weights: bool
) -> Work[tuple[tuple[int, float], ...]]:
    """Repeat the rounds with slices drawn at random.

    Parameters
    ----------
    study : Study
        Data and settings; every slice has a reference, and there are test cases.
    rounds : sequence of Round
        The rounds that were done; their sizes are repeated, the first as it was.
    continue_weights : bool
        Whether a round goes on from the weights of the one before.

    Returns
    -------
    tuple of (int, float)
        Labeled slices and mean Dice of the test cases, a pair for each round.
    """
    first = rounds[0]
    pool = first.pool
    points = [(int(pool.labeled.sum()), float(first.metrics["mean"]))]
    needs = first.strategy.needs()
    trained = yield from train_model(study, pool, first.index, needs=needs)  # from the cache
    for done in rounds[1:]:
        count = int((done.pool.labeled_in == done.index).sum())
        rng = np.random.default_rng((study.seed, done.index))
        rows = np.sort(rng.choice(np.flatnonzero(pool.free), count, replace=False))
        pool = pool.with_labeled(rows, done.index)
        initial = trained.network if continue_weights else None
        trained = yield from train_model(study, pool, done.index, initial, done.strategy.needs())
        data = study.data
        assert data.test_images is not None
        assert data.test_labels is not None
        metrics = yield from evaluate(
            trained.network, data.test_images, data.test_labels, study.compute
        )
        points.append((int(pool.labeled.sum()), float(metrics["mean"])))
    return tuple(points)
