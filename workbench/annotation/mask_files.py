"""Which file is the mask of which case: masks are called like the cases they were drawn on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from workbench.cohort.cohort import Cohort
from workbench.cohort.image_files import is_nifti, is_unread, stem_of
from workbench.cohort.store import ImageStore
from workbench.errors import CohortError, did_you_mean
from workbench.words import count

__all__ = ["MOST_TOLD", "find_masks"]

#: Names that are listed in a sentence.
MOST_TOLD = 6
HOW_TO_SAVE = (
    "Save the segmentation as a label map with the ending .nii.gz, in 3D Slicer with 'Export to "
    "files'."
)


def find_masks(
    paths: Iterable[Path], store: ImageStore, cohort: Cohort
) -> tuple[dict[str, Path], list[str]]:
    """Find the mask of each case among files and folders.

    Parameters
    ----------
    paths : iterable of Path
        NIfTI files named like their cases, or folders of such files.
    store : ImageStore
        The images that are annotated.
    cohort : Cohort
        All cases, also those that are not in the store.

    Returns
    -------
    files : dict
        File of each case that has a mask.
    left_out : list of str
        A sentence for each folder that also holds files in formats that are not read.

    Raises
    ------
    CohortError
        If something is not there, is no NIfTI file, or is named like no case or like another.
    """
    found: dict[str, Path] = {}
    left_out = []
    for given in paths:
        if not given.exists():
            raise CohortError(
                f"There is no file or folder {given}. Name masks (.nii.gz) that are called like "
                f"their cases, or a folder of them."
            )
        inside = sorted(given.iterdir()) if given.is_dir() else [given]
        other = [each.name for each in inside if given.is_dir() and is_unread(each)]
        if other and not any(map(is_nifti, inside)):
            raise CohortError(
                f"{given} holds no NIfTI file, but {count(len(other), 'file')} like {other[0]}. "
                f"{HOW_TO_SAVE}"
            )
        if other:
            more = f" and {len(other) - MOST_TOLD:,} more" if len(other) > MOST_TOLD else ""
            left_out.append(
                f"{', '.join(other[:MOST_TOLD])}{more} in {given} "
                f"{'is' if len(other) == 1 else 'are'} left out, because only NIfTI (.nii.gz) is "
                f"read. {HOW_TO_SAVE}"
            )
        for path in (each for each in inside if is_nifti(each) or each == given):
            if not is_nifti(path):
                raise CohortError(f"{path} is not a NIfTI file. {HOW_TO_SAVE}")
            name = stem_of(path)
            if name in found:
                raise CohortError(
                    f"{found[name]} and {path} are both named like the case {name}. Give one mask "
                    f"for each case."
                )
            if name not in store.cases:
                raise CohortError(_no_case(name, path, store, cohort))
            found[name] = path
    if not found:
        raise CohortError(
            "No mask was found. Name NIfTI files (.nii.gz), or a folder of them, each called like "
            "its case."
        )
    return found, left_out


def _no_case(name: str, path: Path, store: ImageStore, cohort: Cohort) -> str:
    if any(case.id == name for case in cohort.cases):
        return (
            f"{path} is the mask of {name}, which is not in the pool of this run: it is held out "
            f"for testing or validation, or cannot be read. Leave it out."
        )
    known = ", ".join(store.cases[:MOST_TOLD]) + (", …" if len(store.cases) > MOST_TOLD else "")
    near = [case for case in store.cases if _numbers(case) == _numbers(name)]
    return (
        f"{path} is named like no case.{did_you_mean(name, near)} A mask is called like its "
        f"case, one of {known}."
    )


def _numbers(name: str) -> list[int]:
    """Numbers of a case's name: with another one it is another patient, not a typing error."""
    return [int(each) for each in re.findall(r"\d+", name)]
