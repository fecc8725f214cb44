"""The embedded cohort: brains with tumors, made at first use.

So that the workbench can be tried without a download, it draws its own cases
from the ICBM 2009 templates that nilearn ships, and writes them as NIfTI files
in the BraTS 2019 layout; from there on they are read like any other cohort. The
same seed gives the same files. They are pictures to learn the tool with:
results on them say nothing about patients.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from workbench.cohort.building import building
from workbench.cohort.phantom_case import (
    CHANNELS,
    SHAPE,
    SPACING,
    TUMORS,
    Templates,
    draw_case,
)
from workbench.errors import CohortError, SettingError
from workbench.files import cache_folder, content_key, read_json, write_json
from workbench.jobs import Progress, Work

__all__ = ["make_phantom", "phantom_plan"]

#: Raised whenever the drawing changes, so that old files are not taken for new ones.
VERSION = 2
RECORD = "phantom.json"
#: Kinds of tumor in each two dozen cases, from common to rare.
KINDS = {"ring": 8, "solid": 5, "infiltrating": 4, "multifocal": 3, "small": 2, "edema only": 2}
#: Time stamp of the files, so that equal phantoms give equal keys on every machine.
STAMP = 1_500_000_000


def phantom_plan(cases: int = 24, seed: int = 0) -> tuple[tuple[str, str, str], ...]:
    """Case id, site and kind of tumor of every case, in natural order of the ids."""
    kinds: list[str] = []
    each = [kind for kind, count in KINDS.items() for _ in range(count)]
    block = 0
    while len(kinds) < cases:
        kinds += [each[i] for i in np.random.default_rng((seed, 7, block)).permutation(len(each))]
        block += 1
    first = (cases + 1) // 2  # cases of the first site
    plan = []
    for index in range(cases):
        site = "CBICA" if index < first else "TCIA"
        code = f"CBICA_P{index + 1:03d}" if site == "CBICA" else f"TCIA00_P{index + 1:03d}"
        plan.append((f"BraTS19_{code}_1", site, kinds[index]))
    return tuple(plan)


def make_phantom(folder: Path | None = None, cases: int = 24, seed: int = 0) -> Work[Path]:
    """Write the embedded cohort, or find it written.

    Parameters
    ----------
    folder : Path, optional
        Where to write it; in the cache folder if not given.
    cases : int
        Number of cases, at least 1; half of them from each of two sites.
    seed : int
        Decides every case.

    Returns
    -------
    Path
        The folder, in BraTS 2019 layout (``HGG/`` and ``LGG/``).

    Raises
    ------
    SettingError
        If `cases` is less than 1.
    CohortError
        If `folder` holds something else, or nilearn's templates are not found.
    StoreError
        If the disk is full.
    """
    if cases < 1:
        raise SettingError(
            f"The embedded cohort was asked for with {cases} cases. It needs at least 1, and 4 "
            f"or more to try a selection."
        )
    recipe = {"version": VERSION, "cases": cases, "seed": seed}
    target = folder or cache_folder() / "phantom" / f"{cases}-{content_key(recipe)}"
    if (target / RECORD).is_file() and read_json(target / RECORD) == recipe:
        return target
    if target.is_dir() and any(target.iterdir()):
        raise CohortError(
            f"{target} is not empty, and it does not hold the embedded cohort asked for. Name a "
            f"new or empty folder."
        )
    templates = load_templates()
    plan = phantom_plan(cases, seed)
    with building(target) as temporary:
        for index, (name, site, kind) in enumerate(plan):
            yield Progress("drawing the embedded cohort", index, cases)
            _write_case(temporary, name, site, kind, templates, (seed, index))
        write_json(temporary / RECORD, recipe)
        with contextlib.suppress(OSError):  # another process may have been first
            target.rmdir()  # an empty folder makes room
    yield Progress("drawing the embedded cohort", cases, cases)
    return target


def load_templates() -> Templates:
    """Read the ICBM 2009 templates out of nilearn's package, without importing it.

    Raises
    ------
    CohortError
        If nilearn or its templates are not installed.
    """
    found = importlib.util.find_spec("nilearn")
    places: Sequence[str] = (found.submodule_search_locations or []) if found else []
    folder = Path(places[0]) / "datasets" / "data" if places else Path()
    maps = {}
    for name in ("t1", "gm", "wm"):
        file = folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
        if not file.is_file():
            raise CohortError(
                f"The ICBM 2009 templates were not found in the installed nilearn ({file.name}). "
                f"The embedded cohort is drawn from them: install nilearn 0.11 or newer."
            )
        image: Any = nib.load(file)
        maps[name] = np.asanyarray(image.dataobj).astype(np.float32)
        affine = image.affine
    mask = (maps["t1"] > 0).astype(np.float32)
    low = np.argwhere(mask.any((1, 2)))[0, 0], np.argwhere(mask.any((0, 2)))[0, 0], 0
    corner = np.maximum(np.array(low) - 4, 0)
    region = tuple(
        slice(int(start), int(start) + size)
        for start, size in zip(corner, (154, 190, 164), strict=True)
    )
    smooth = {
        name: ndimage.gaussian_filter(values[region], 0.8)
        for name, values in {**maps, "mask": mask}.items()
    }
    return Templates(
        gray=smooth["gm"] / 255,
        white=smooth["wm"] / 255,
        mask=smooth["mask"],
        detail=smooth["t1"] / 215,
        origin=affine[:3, 3] + corner,
    )


def _write_case(
    folder: Path, name: str, site: str, kind: str, templates: Templates, seed: tuple[int, int]
) -> None:
    images, labels = draw_case(templates, kind, site, np.random.default_rng(seed))
    place = folder / TUMORS[kind].grade / name
    place.mkdir(parents=True)
    for suffix in (*CHANNELS, "seg"):
        array = labels if suffix == "seg" else images[suffix]
        _write(array, place / f"{name}_{suffix}.nii.gz")


def _write(array: NDArray[np.generic], path: Path) -> None:
    """Write an RAS+ array as BraTS stores it, with axes that run left, posterior, superior."""
    affine = np.diag([-SPACING, -SPACING, SPACING, 1.0])
    affine[:3, 3] = [
        SPACING * (n - 1) / 2 * sign for n, sign in zip(SHAPE, (1, 1, -1), strict=True)
    ]
    make: Any = nib.Nifti1Image  # untyped in a typed package
    image = make(np.ascontiguousarray(array[::-1, ::-1]), affine)
    nib.save(image, path)
    os.utime(path, (STAMP, STAMP))
