"""Write cases in the layouts that other programs read: MSD here, nnU-Net for a run's export.

What is already in the right form is linked or copied; the rest is written anew on
its own grid. Every file appears whole or not at all, so a conversion that was cut
short goes on where it stopped.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import nibabel
import numpy as np
from numpy.typing import NDArray

from workbench.cohort.cohort import IGNORED, Case, Cohort, Problem
from workbench.cohort.image_files import open_image
from workbench.cohort.label_maps import file_stamp, read_classes
from workbench.cohort.masks import write_mask
from workbench.cohort.resample import read_case
from workbench.cohort.volumes import check_same_grid, read_header
from workbench.errors import CohortError, SettingError, VolumeError
from workbench.files import content_key, read_json, replace_file, write_json
from workbench.jobs import Progress, Work
from workbench.words import count

__all__ = ["Files", "begin_conversion", "put_channel", "put_channels", "to_msd"]

Files = Literal["link", "copy"]
#: Says in a converted folder what it was made from.
MARK = ".workbench-conversion.json"
#: Label value that marks voxels that count for nothing in a converted folder, if there are any.
IGNORE = "ignore"
nib: Any = nibabel  # a typed package of untyped functions


def to_msd(
    cohort: Cohort, folder: Path, files: Files = "link", overwrite: bool = False
) -> Work[Cohort]:
    """Convert a cohort to the layout of the Medical Segmentation Decathlon.

    Labels are written as the classes of the cohort's task, 0 to k. A case whose image cannot be
    read is left out, and one whose label cannot be used has none; both are told, with what was
    told of the cohort before.

    Parameters
    ----------
    cohort : Cohort
        As recognized, with the task that is wanted.
    folder : Path
        Where ``dataset.json``, ``imagesTr/`` and ``labelsTr/`` are made.
    files : {"link", "copy"}
        Whether files that are right as they are become symbolic links or copies.
    overwrite : bool
        Whether files of the folder may be replaced.

    Returns
    -------
    Cohort
        The cases that were written, with a label if theirs was. Its problems are those that the
        cohort had, and those that were found on the way.

    Raises
    ------
    SettingError
        If `files` is neither, or the folder lies inside the cohort.
    CohortError
        If the folder holds other files, or no case can be read.
    StoreError
        If the disk is full; the same call goes on from there.
    """
    made_from = [
        [case.id, *(file_stamp(path, cohort.root) for path in case.images.values()),
         file_stamp(case.label, cohort.root) if case.label else []]
        for case in cohort.cases
    ]  # fmt: skip
    chosen = [cohort.task, cohort.unknown_labels, cohort.resample]
    begin_conversion(
        folder, ["MSD", str(cohort.root.resolve()), *chosen, files, made_from], files, overwrite
    )
    problems = list(cohort.problems)
    written: list[Case] = []
    listed = []
    ignored = False
    for number, case in enumerate(cohort.cases):
        yield Progress("converting cases", number, len(cohort.cases))
        image = folder / "imagesTr" / f"{case.id}.nii.gz"
        label = folder / "labelsTr" / f"{case.id}.nii.gz"
        try:
            notes = _put_image(case, cohort, image, files)
            problems += [Problem(case.id, note) for note in notes]
            written.append(case)
            if case.label is None:
                continue
            some, notes = _put_classes(case, cohort, image, label, files)
            problems += [Problem(case.id, note) for note in notes]
            ignored |= some
        except VolumeError as error:
            problems.append(Problem(case.id, str(error), fatal=True))
            if written and written[-1] is case:
                written[-1] = replace(case, label=None)
            continue
        listed.append({"image": f"./imagesTr/{image.name}", "label": f"./labelsTr/{label.name}"})
    if not written:
        raise CohortError(_nothing_written(cohort, problems))
    labels = dict(enumerate(cohort.classes))
    if ignored:
        labels[len(labels)] = IGNORE
    content = {
        "name": cohort.name,
        "description": f"Made from {cohort.layout} files by the suggestive-annotation workbench.",
        "tensorImageSize": "3D" if len(cohort.channels) == 1 else "4D",
        "modality": {str(index): name for index, name in enumerate(cohort.channels)},
        "labels": {str(value): name for value, name in labels.items()},
        "regions": {name: list(classes) for name, classes in cohort.region_classes.items()},
        "numTraining": len(listed),
        "numTest": 0,
        "training": listed,
        "test": [],
    }
    if not cohort.regions:
        del content["regions"]  # the labels themselves
    write_json(folder / "dataset.json", content)
    yield Progress("converting cases", len(cohort.cases), len(cohort.cases))
    return replace(cohort, cases=tuple(written), problems=tuple(problems))


def begin_conversion(folder: Path, made_from: Sequence[Any], files: str, overwrite: bool) -> None:
    """Make the folder of a conversion, or go on in the one that was begun.

    Parameters
    ----------
    folder : Path
    made_from : sequence
        What decides the content, JSON-serializable: the same again goes on.
    files : str
        Checked to be one of `Files`.
    overwrite : bool
        Whether what lies there may be replaced.

    Raises
    ------
    SettingError
        If `files` is unknown.
    CohortError
        If the folder holds anything else, and may not be overwritten.
    """
    if files not in get_args(Files):
        raise SettingError(
            f"Files are to be {files!r}. Those that are right as they are become symbolic links "
            f"('link') or copies ('copy')."
        )
    key = content_key(*made_from)
    mark = folder / MARK
    try:
        same = mark.is_file() and read_json(mark)["made from"] == key
    except (ValueError, KeyError, TypeError):
        same = False
    if same and not overwrite:
        return
    if folder.exists() and (not folder.is_dir() or any(p.name != MARK for p in folder.iterdir())):
        if not overwrite:
            raise CohortError(
                f"{folder} is not empty, and what it holds was not made from the same files with "
                f"the same settings. Choose another folder, or replace what is there with "
                f"--overwrite."
            )
        for name in ("imagesTr", "labelsTr"):
            for path in (folder / name).glob("*.nii.gz"):
                path.unlink()
    write_json(mark, {"made from": key})


def put_channel(path: Path, frame: int | None, target: Path, files: Files) -> None:
    """Put one channel of a scan at `target`, a ``.nii.gz`` file, unless it is there.

    Parameters
    ----------
    path : Path
        A file, or the folder of a DICOM series.
    frame : int or None
        Which image along the fourth axis is meant; None: all that there is.
    target : Path
    files : {"link", "copy"}

    Raises
    ------
    VolumeError
        If the file cannot be read.
    """
    if os.path.lexists(target):
        return
    if frame is None and path.name.lower().endswith(".nii.gz"):
        read_header(path)  # refuses what is no volume
        target.parent.mkdir(parents=True, exist_ok=True)
        if files == "link":
            link_file(path, target)
        else:
            replace_file(target, lambda temporary: shutil.copyfile(path, temporary))
        return
    image = open_image(path)
    try:
        array = np.asanyarray((image if frame is None else image.slicer[..., frame]).dataobj)
    except VolumeError:
        raise
    except Exception as error:  # cut off: nibabel raises many types
        raise VolumeError(
            f"{path} cannot be converted: its voxels cannot be read ({error}). Copy it again."
        ) from error
    if not isinstance(image.header, nib.Nifti1Header):
        array = array.reshape(array.shape[:3])  # an Analyze file often has a fourth axis of one
    if array.dtype.kind == "f":
        small = path.is_dir() and (array == np.rint(array)).all() and np.abs(array).max() < 2**15
        array = array.astype(np.int16 if small else np.float32)  # Hounsfield units are whole
    header = image.header if isinstance(image.header, nib.Nifti1Header) else None
    made = nib.Nifti1Image(array, image.affine, header)
    made.set_data_dtype(array.dtype)
    content = gzip.compress(made.to_bytes(), 6)
    replace_file(target, lambda temporary: temporary.write_bytes(content))


def put_channels(case: Case, cohort: Cohort, folder: Path, files: Files) -> None:
    """Put each channel of a case in a file of its own, all on one grid, as nnU-Net has them.

    Where the files lie on several grids, or hold their axes in several orders, all channels are
    written anew as they are read: RAS+, on the grid of the first, which is that of the label.

    Parameters
    ----------
    case : Case
    cohort : Cohort
        Says whether channels may be resampled.
    folder : Path
        Where ``CASE_0000.nii.gz`` and so on are made, unless they are there.
    files : {"link", "copy"}
        Whether files that are right as they are become symbolic links or copies.

    Raises
    ------
    VolumeError
        If a file cannot be read, or channels lie on several grids and may not be resampled.
    """
    paths = list(case.images.values())
    targets = [folder / f"{case.id}_{channel:04d}.nii.gz" for channel in range(len(paths))]
    if _on_one_grid(paths):
        for channel, (path, target) in enumerate(zip(paths, targets, strict=True)):
            frame = paths[:channel].count(path) if paths.count(path) > 1 else None
            put_channel(path, frame, target, files)
    elif not all(os.path.lexists(target) for target in targets):
        volume = read_case(case, cohort)
        for data, target in zip(volume.data, targets, strict=True):
            _put_array(data, volume.affine, target)


def link_file(path: Path, target: Path) -> None:
    """Make `target` a symbolic link to `path`, in one step."""
    replace_by = target.with_name(f".{target.name}.link")
    replace_by.unlink(missing_ok=True)
    try:
        replace_by.symlink_to(path.resolve())
        os.replace(replace_by, target)
    except OSError as error:
        raise SettingError(
            f"{target} cannot be a symbolic link ({error.strerror or error}). Make copies instead, "
            f"with --files copy."
        ) from error


# ---------------------------------------------------------------------- helpers
def _nothing_written(cohort: Cohort, problems: Sequence[Problem]) -> str:
    """Say why no case could be converted: the first reason, and where the others are told."""
    reasons = [str(problem) for problem in problems if problem.fatal]
    said = [f"No case of {cohort.root} could be converted.", *reasons[:1]]
    if len(reasons) > 1:
        more = count(len(reasons) - 1, "more problem")
        said.append(f"'workbench cohort {cohort.root}' tells {more}.")
    return " ".join(said)


def _put_image(case: Case, cohort: Cohort, target: Path, files: Files) -> tuple[str, ...]:
    """Put all channels of a case into one file, as MSD has them, 3-D or 4-D; tell what changed."""
    paths = list(case.images.values())
    if os.path.lexists(target):
        return ()
    if len(set(paths)) == 1:
        put_channel(paths[0], None, target, files)
        return ()
    volume = read_case(case, cohort)
    _put_array(np.moveaxis(volume.data, 0, -1), volume.affine, target)
    return volume.notes


def _put_array(array: NDArray[np.float32], affine: NDArray[np.float64], target: Path) -> None:
    content = gzip.compress(nib.Nifti1Image(array, affine).to_bytes(), 6)
    replace_file(target, lambda temporary: temporary.write_bytes(content))


def _on_one_grid(paths: Sequence[Path]) -> bool:
    """Whether files have the same voxels in the same order, as they lie on the disk."""
    first, *others = dict.fromkeys(paths)
    if not others:
        return True
    image = open_image(first)
    try:
        for path in others:
            other = open_image(path)
            check_same_grid(
                first, image.shape[:3], image.affine, path, other.shape[:3], other.affine
            )
    except VolumeError:
        return False
    return True


def _put_classes(
    case: Case, cohort: Cohort, image: Path, target: Path, files: Files
) -> tuple[bool, tuple[str, ...]]:
    """Put a case's label map beside its image; tell whether some is ignored, and what changed."""
    header = read_header(next(iter(case.images.values())))
    classes, notes = read_classes(case, cohort, header.shape, header.affine)
    ignored = bool((classes == IGNORED).any())
    assert case.label is not None
    if not os.path.lexists(target):
        one_file = len(set(case.images.values())) == 1  # else its channels were put together, RAS+
        as_they_are = cohort.unknown_labels == "refuse" and all(
            value == number for value, number in cohort.class_of.items()
        )
        if as_they_are and case.label.name.lower().endswith(".nii.gz") and one_file:
            put_channel(case.label, None, target, files)
        else:
            write_mask(without_gap(classes, len(cohort.classes)), image, target)
    return ignored, notes


def without_gap(classes: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Give ignored voxels the value after the last class, as nnU-Net wants it."""
    return np.where(classes == IGNORED, np.uint8(count), classes)
