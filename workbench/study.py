"""What stays the same from round to round.

`open_data` turns the name of a cohort into slices, labels and a pool, split by
case. `learn_latent` trains the manifold, which knows no labels. A `Study` holds
both, with the settings of the segmentation model, so that a round is a function
of the study and the pool alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.cohort import Cohort
from workbench.cohort.label_source import LabelSource, ReferenceLabels
from workbench.cohort.opening import open_cohort
from workbench.cohort.pool import Pool
from workbench.cohort.preprocess import Recipe
from workbench.cohort.split import split_cases
from workbench.cohort.store import ImageStore, build_store, first_pool
from workbench.errors import CohortError, SettingError
from workbench.jobs import Work

if TYPE_CHECKING:
    from workbench.latent.space import LatentSpace
    from workbench.models.compute import Compute
    from workbench.training.manifold import Manifold, ManifoldConfig
    from workbench.training.segmentation import SegmentationConfig

__all__ = ["Data", "Study", "initial_rows", "learn_latent", "open_data"]


@dataclass(frozen=True, eq=False)
class Data:
    """An opened cohort: the pool's slices, the test slices, and their labels.

    The pool and the test set are stores of their own, split by case, so that a
    test slice can never be suggested or trained on.
    """

    cohort: Cohort
    images: ImageStore
    labels: LabelSource
    test_images: ImageStore
    test_labels: LabelSource
    pool: Pool


@dataclass(frozen=True, eq=False)
class Study:
    """The data, the manifold and the settings that all rounds share."""

    data: Data
    manifold: Manifold
    latent: LatentSpace
    segmentation: SegmentationConfig
    compute: Compute
    seed: int


def open_data(
    source: str | Path,
    *,
    recipe: Recipe | None = None,
    test_fraction: float = 0.25,
    seed: int = 0,
    cases: int | None = None,
    folder: Path | None = None,
) -> Work[Data]:
    """Open a cohort, split it by case and build its stores.

    Parameters
    ----------
    source : str or Path
        ``"phantom"`` or the folder of a cohort.
    recipe : Recipe, optional
        How volumes become slices.
    test_fraction : float
        Share of the cases that is held out for testing, between 0 and 1.
    seed : int
        Decides which contiguous blocks of cases are held out.
    cases : int, optional
        Number of cases of the phantom; for other cohorts, use only the first so many.
    folder : Path, optional
        Where stores are kept; the cache folder by default.

    Raises
    ------
    CohortError
        If the cohort cannot be used.
    """
    cohort = yield from open_cohort(source, cases)
    split = split_cases(cohort, test_fraction, seed)
    chosen = recipe or Recipe()
    images = yield from build_store(cohort, split.pool, chosen, folder)
    test_images = yield from build_store(cohort, split.test, chosen, folder)
    labels = ReferenceLabels(images, cohort)
    pool = first_pool(images, labels)
    if not pool.eligible.any():
        raise CohortError(
            f"No case of the pool of {cohort.name} has a label file. A simulated run needs "
            f"references to label from; add label files to some cases and open it again."
        )
    return Data(cohort, images, labels, test_images, ReferenceLabels(test_images, cohort), pool)


def learn_latent(
    data: Data, config: ManifoldConfig, compute: Compute, *, seed: int = 0
) -> Work[tuple[Manifold, LatentSpace]]:
    """Train the VAE on the pool's images, or load it, and encode every slice."""
    from workbench.latent.space import encode
    from workbench.training.manifold import train_manifold

    manifold = yield from train_manifold(data.images, config, compute, seed=seed)
    latent = yield from encode(manifold.vae, data.images, compute)
    return manifold, latent


def initial_rows(pool: Pool, n: int, seed: int) -> NDArray[np.int64]:
    """Draw the initial set, the same for every strategy at one seed.

    Returns
    -------
    ndarray of int, shape (n,)
        Eligible rows, ascending.

    Raises
    ------
    SettingError
        If the initial set would leave nothing to suggest.
    """
    eligible = np.flatnonzero(pool.eligible)
    if not 1 <= n < len(eligible):
        raise SettingError(
            f"The initial set has {n:,} slices, but the pool has {len(eligible):,} that can be "
            f"labeled. Choose between 1 and {len(eligible) - 1:,}."
        )
    rng = np.random.default_rng((seed, 0))
    return np.sort(rng.choice(eligible, n, replace=False)).astype(np.int64)


def rows_of(pool: Pool, names: Sequence[str]) -> NDArray[np.int64]:
    """Find the rows of slices by their names, in the order given."""
    row_of = {str(slice_id): row for row, slice_id in enumerate(pool.ids)}
    return np.array([row_of[name] for name in names], dtype=np.int64)
