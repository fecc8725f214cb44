"""What stays the same from round to round.

`open_data` turns the name of a cohort into slices, labels and a pool, split by
case. `learn_latent` trains the manifold, which knows no labels. A `Study` holds
both, with the settings of the segmentation model, so that a round is a function
of the study and the pool alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from workbench.cohort.cohort import Cohort, CohortOptions
from workbench.cohort.label_source import LabelSource, ReferenceLabels
from workbench.cohort.opening import open_cohort
from workbench.cohort.pool import Pool
from workbench.cohort.recipes import Recipe, VolumeRecipe
from workbench.cohort.split import Split, split_cases
from workbench.cohort.store import ImageStore, build_store, first_pool
from workbench.errors import CohortError, SettingError, StrategyError
from workbench.files import cache_folder, replace_file
from workbench.jobs import Work
from workbench.strategies.base import Unit

if TYPE_CHECKING:
    from workbench.latent.space import LatentSpace
    from workbench.models.compute import Compute
    from workbench.training.early_stopping import Validation
    from workbench.training.manifold import Manifold, ManifoldConfig
    from workbench.training.segmentation import SegmentationConfig

__all__ = [
    "REFERENCED",
    "Candidates",
    "Data",
    "Study",
    "initial_rows",
    "learn_latent",
    "open_data",
    "rows_of",
]

#: Which slices of a pool may be suggested.
Candidates = Literal["referenced", "all", "auto"]
#: Those that have a reference: the only ones where nobody annotates.
REFERENCED: Candidates = "referenced"


@dataclass(frozen=True, eq=False)
class Data:
    """An opened cohort: the pool's slices, the test slices, and their labels.

    The pool and the test set are stores of their own, split by case, so that a
    test slice can never be suggested or trained on. Rows without a reference are in
    the pool, where the manifold sees them, and are not eligible, unless people are to annotate
    them. There is no test set where no case has a label to test on. ``pretraining`` is
    another site, of which everything is labeled, where there is one to begin from;
    ``validation`` are cases that tell when a training should stop, where any were held out.
    """

    cohort: Cohort
    images: ImageStore
    labels: LabelSource
    test_images: ImageStore | None
    test_labels: LabelSource | None
    pool: Pool
    pretraining: Data | None = None
    validation: Validation | None = None


@dataclass(frozen=True, eq=False)
class Study:
    """The data, the manifold and the settings that all rounds share.

    ``learned`` is the manifold with the pool's codes in it; None where no strategy asks for
    either, so that nobody waits for a VAE that is not looked at.
    """

    data: Data
    learned: tuple[Manifold, LatentSpace] | None
    segmentation: SegmentationConfig
    compute: Compute
    seed: int

    @property
    def manifold(self) -> Manifold:
        """The trained VAE."""
        return self._learned()[0]

    @property
    def latent(self) -> LatentSpace:
        """The pool's latent codes."""
        return self._learned()[1]

    def _learned(self) -> tuple[Manifold, LatentSpace]:
        if self.learned is None:
            raise StrategyError(
                "The manifold was not learned, because no need of the strategy stands on it. Add "
                "Latents, or another need that does, to what needs() returns."
            )
        return self.learned


def open_data(
    source: str | Path,
    *,
    recipe: Recipe | VolumeRecipe | None = None,
    test_fraction: float = 0.25,
    validation_fraction: float = 0.0,
    seed: int = 0,
    cases: int | None = None,
    transfer: Mapping[str, str] | None = None,
    options: CohortOptions | None = None,
    folder: Path | None = None,
    candidates: Candidates = REFERENCED,
    enough: Callable[[int], None] | None = None,
) -> Work[Data]:
    """Open a cohort, split it by case and build its stores.

    Parameters
    ----------
    source : str or Path
        ``"phantom"`` or the folder of a cohort.
    recipe : Recipe or VolumeRecipe, optional
        How scans become slices, or volumes of one size.
    test_fraction : float
        Share of the cases that is held out for testing, between 0 and 1.
    validation_fraction : float
        Share of the cases that tells when a training should stop; 0: none.
    seed : int
        Decides which contiguous blocks of cases are held out.
    cases : int, optional
        Number of cases of the phantom, or of a cohort's to use, spread evenly over all.
    transfer : mapping, optional
        Pool and test set are the cases of site ``transfer["pool"]``, divided as without it; all
        labeled cases of site ``transfer["pretrain"]`` are there to pre-train on.
    options : CohortOptions, optional
        Layout and task of the cohort, and what to do with files that do not fit.
    folder : Path, optional
        Where stores are kept; the cache folder by default.
    candidates : {"referenced", "all", "auto"}
        Which slices may be suggested: those with a reference, or, where people annotate, all of
        them; "auto": all of them if fewer than two cases have a usable label. Only then may
        there be nothing to test on.
    enough : callable, optional
        Takes the number of cases that can be labeled at most, before any voxel is read, and
        raises `SettingError` where they are too few.

    Raises
    ------
    CohortError
        If the cohort cannot be used, or is to be annotated and nothing names its classes.
    SettingError
        If a site of `transfer` is not in the cohort, or there are not `enough` cases.
    """
    cohort = yield from open_cohort(source, cases, options)
    if candidates != REFERENCED and len(cohort.classes) < 2:
        raise CohortError(
            f"It is not known what is to be drawn in {cohort.name}: no label file tells the "
            f"classes. Name them when it is opened, for example "
            f'Workbench("{cohort.root.as_posix()}", labels={{"1": "tumor"}}).'
        )
    labeled = sum(case.label is not None for case in cohort.cases)
    if candidates != REFERENCED and labeled < 2:
        split = Split(tuple(case.id for case in cohort.cases), ())
    else:
        split = split_cases(cohort, test_fraction, seed, validation_fraction)
    chosen = recipe or Recipe()
    pool_cases, test_cases = split.pool, split.test
    if transfer is not None:
        site = _site(cohort, transfer["pool"])
        pool_cases = tuple(case for case in pool_cases if case in site)
        test_cases = tuple(case for case in test_cases if case in site)
        if not pool_cases or not test_cases:
            raise CohortError(
                f"The site {transfer['pool']!r} of {cohort.name} has {len(site)} cases, of which "
                f"{len(test_cases)} are held out for testing. Pool and test set need at least one "
                f"case each; choose another site or test_fraction."
            )
    if enough is not None:
        known = {case.id for case in cohort.cases if case.label is not None}
        unlabeled = candidates != REFERENCED  # a person may draw their labels
        enough(sum(unlabeled or case in known for case in pool_cases))
    images = yield from build_store(cohort, pool_cases, chosen, folder)
    labels = ReferenceLabels(images, cohort)
    pool = first_pool(images, labels)
    test_images, test_labels = None, None
    if test_cases:
        test_images = yield from build_store(cohort, test_cases, chosen, folder)
        test_labels = ReferenceLabels(test_images, cohort)
    if candidates == "all" or (candidates == "auto" and not (test_cases and pool.eligible.any())):
        pool = replace(pool, eligible=np.ones(len(pool), dtype=np.bool_))
    elif not pool.eligible.any():
        raise CohortError(
            f"No case of the pool of {cohort.name} has a label that can be used, and a simulated "
            f"run needs references to label from. {_first_problem(labels, cohort)}"
        )
    if test_labels is not None and not test_labels.available.any():
        if candidates == REFERENCED:
            raise CohortError(
                f"No case held out for testing from {cohort.name} has a label that can be used, so "
                f"no model could be scored. {_first_problem(test_labels, cohort)}"
            )
        test_images, test_labels = None, None
    data = Data(cohort, images, labels, test_images, test_labels, pool)
    held = split.validation
    if transfer is not None:
        held = tuple(case for case in held if case in site)
    if held:
        data = replace(data, validation=(yield from _validation(cohort, held, chosen, folder)))
    if transfer is None:
        return data
    known = {case.id for case in cohort.cases if case.label is not None}
    others = tuple(case for case in _site(cohort, transfer["pretrain"]) if case in known)
    images = yield from build_store(cohort, others, chosen, folder)
    labels = ReferenceLabels(images, cohort)
    pool = first_pool(images, labels)
    pool = pool.with_labeled(np.flatnonzero(pool.eligible), 0)
    return replace(data, pretraining=replace(data, images=images, labels=labels, pool=pool))


def _validation(
    cohort: Cohort, cases: Sequence[str], recipe: Recipe | VolumeRecipe, folder: Path | None
) -> Work[Validation]:
    from workbench.training.early_stopping import Validation

    images = yield from build_store(cohort, cases, recipe, folder)
    labels = ReferenceLabels(images, cohort)
    if not labels.available.any():
        raise CohortError(
            f"No case held out for validation from {cohort.name} has a label that can be used. "
            f"{_first_problem(labels, cohort)}"
        )
    return Validation(images, labels)


def _first_problem(labels: ReferenceLabels, cohort: Cohort) -> str:
    if labels.problems:
        return (
            f"{labels.problems[0].sentence} 'workbench cohort {cohort.root}' tells every problem."
        )
    return "Add label files to some cases, or choose others, and open it again."


def _site(cohort: Cohort, name: str) -> tuple[str, ...]:
    """Ids of the cases of a site."""
    found = tuple(case.id for case in cohort.cases if case.site == name)
    if not found:
        sites = sorted({case.site for case in cohort.cases})
        raise SettingError(
            f"{cohort.name} has no site {name!r}. Its sites: {', '.join(map(repr, sites))}."
        )
    return found


def learn_latent(
    data: Data, config: ManifoldConfig, compute: Compute, *, seed: int = 0
) -> Work[tuple[Manifold, LatentSpace]]:
    """Train the VAE on the pool's images and encode every slice, or load both."""
    from workbench.latent.space import encode
    from workbench.training.manifold import train_manifold

    manifold = yield from train_manifold(data.images, config, compute, seed=seed)
    path = cache_folder() / "manifolds" / manifold.key / "latents.npz"
    latent = _read_latents(path, len(data.pool), config.z_dim)
    if latent is None:
        latent = yield from encode(manifold.vae, data.images, compute)
        arrays = vars(latent)
        replace_file(path, lambda temporary: np.savez(temporary, **arrays))
    return manifold, latent


def _read_latents(path: Path, n: int, d: int) -> LatentSpace | None:
    """Read the codes that were kept; None where there are none, or they are damaged."""
    from workbench.latent.space import LatentSpace

    try:
        with np.load(path) as kept:
            z = kept["z"]
            if z.shape != (n, d):
                return None
            return LatentSpace(z, int(kept["active_dims"]), float(kept["neighbor_distance"]))
    except (OSError, ValueError, KeyError, BadZipFile):
        return None


def initial_rows(pool: Pool, n: int, seed: int, unit: Unit = "slices") -> NDArray[np.int64]:
    """Draw the initial set, the same for every strategy at one seed.

    Parameters
    ----------
    pool : Pool
        Eligible rows may be drawn.
    n : int
        How many slices or cases.
    seed : int
        Decides which.
    unit : {"slices", "cases", "volumes"}
        Whether samples are drawn, or cases with all their eligible slices.

    Returns
    -------
    ndarray of int
        Eligible rows, ascending.

    Raises
    ------
    SettingError
        If there are not so many.
    """
    eligible = np.flatnonzero(pool.eligible).astype(np.int64)
    drawn_from = np.unique(pool.case_of[eligible]) if unit == "cases" else eligible
    if not 1 <= n <= len(drawn_from):
        raise SettingError(
            f"The initial set has {n:,} {unit}, but the pool has {len(drawn_from):,} that can be "
            f"labeled. Choose between 1 and {len(drawn_from):,}."
        )
    rng = np.random.default_rng((seed, 0))
    drawn = np.sort(rng.choice(drawn_from, n, replace=False))
    if unit == "cases":
        return eligible[np.isin(pool.case_of[eligible], drawn)]
    return drawn.astype(np.int64)


def rows_of(pool: Pool, names: Sequence[str]) -> NDArray[np.int64]:
    """Find the rows of slices, or volumes, by their names, in the order given.

    Raises
    ------
    CohortError
        If the pool has none of such a name.
    """
    row_of = {str(slice_id): row for row, slice_id in enumerate(pool.ids)}
    gone = [name for name in names if name not in row_of]
    if gone:
        noun = pool.ids[0].noun
        raise CohortError(
            f"The pool has no {noun} {gone[0]}{f' and {len(gone) - 1} more' if gone[1:] else ''}, "
            f"which a saved run names: the data set has changed since. Restore its files, or start "
            f"again in another folder."
        )
    return np.array([row_of[name] for name in names], dtype=np.int64)
