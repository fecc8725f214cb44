"""BIDS: ``sub-01/anat/sub-01_T1w.nii.gz``, with label maps below ``derivatives/``.

A case is a subject, or a session of one. Its channels are the suffixes that
most cases have. Label maps are derivatives called ``dseg``, ``mask`` or ``seg``;
what their values stand for is read from the table ``…_dseg.tsv`` beside them.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from workbench.cohort.cohort import Case, Cohort, Problem
from workbench.cohort.image_files import stem_of
from workbench.cohort.layouts.layout import Layout
from workbench.cohort.layouts.pairing import (
    lacks,
    natural_key,
    nifti_files,
    occurs_twice,
    unlabeled,
)
from workbench.errors import CohortError

__all__ = ["BIDS"]

NAME = re.compile(
    r"(?P<case>sub-[^_]+(_ses-[^_]+)?)(?P<entities>(_[a-zA-Z]+-[^_]+)*)_(?P<what>\w+)"
)
#: Suffixes of anatomical images.
IMAGES = (
    "T1w", "T2w", "FLAIR", "T2star", "T2starw", "PDw", "PD", "T1rho", "inplaneT1", "inplaneT2",
    "angio", "UNIT1", "MESE", "CT", "ct", "dwi", "swi", "ce",
)  # fmt: skip
LABELS = ("dseg", "mask", "seg")
#: Masks of the whole head or brain say nothing about structures.
NOT_LABELS = ("desc-brain", "label-brain", "desc-head")


def _find(root: Path) -> Cohort | None:
    images: dict[str, dict[str, list[Path]]] = {}
    for path, name in _named(root, ("sub-*/*", "sub-*/ses-*/*")):
        if name["what"] in IMAGES:
            images.setdefault(name["case"], {}).setdefault(_channel(name), []).append(path)
    if not images:
        return None
    labels: dict[str, list[Path]] = {}
    below = ("derivatives/*/sub-*/*", "derivatives/*/sub-*/ses-*/*", "derivatives/sub-*/*")
    for path, name in _named(root, below):
        if name["what"] in LABELS and not any(no in name["entities"] for no in NOT_LABELS):
            labels.setdefault(name["case"], []).append(path)
    counts = Counter(channel for files in images.values() for channel in files)
    channels = tuple(channel for channel, count in counts.items() if 2 * count > len(images))
    if not channels:
        return None
    cases: list[Case] = []
    problems: list[Problem] = []
    for case in sorted(images, key=natural_key):
        files, maps = images[case], labels.get(case, [])
        missing = [channel for channel in channels if channel not in files]
        twice = next((files[c] for c in channels if len(files.get(c, [])) > 1), maps)
        if missing:
            problems.append(lacks(case, missing, channels))
        elif len(twice) > 1:
            problems.append(occurs_twice(case, twice))
        else:
            if not maps:
                problems.append(unlabeled(case))
            chosen = {channel: files[channel][0] for channel in channels}
            cases.append(Case(case, "other", chosen, maps[0] if maps else None))
    return Cohort(
        name=root.resolve().name,
        layout="BIDS",
        root=root,
        cases=tuple(cases),
        channels=channels,
        labels=_table(root, [path for paths in labels.values() for path in paths]),
        problems=tuple(problems),
        reason="it holds sub-*/ folders whose files are called sub-…_T1w and the like, and label "
        "maps are looked for in derivatives/",
    )


def _named(root: Path, patterns: tuple[str, ...]) -> list[tuple[Path, re.Match[str]]]:
    """Files with BIDS names in the folders that match, each file once."""
    found: dict[Path, tuple[Path, re.Match[str]]] = {}
    for pattern in patterns:
        for folder in sorted(root.glob(pattern)):
            for path in nifti_files(folder):
                match = NAME.fullmatch(stem_of(path))
                if match:
                    found.setdefault(path.resolve(), (path, match))
    return list(found.values())


def _channel(name: re.Match[str]) -> str:
    """Suffix of an image, and whether it was taken after contrast agent."""
    agent = re.search(r"_ce-([^_]+)", name["entities"])
    return f"{name['what']} {agent[1]}" if agent else name["what"]


def _table(root: Path, maps: list[Path]) -> dict[int, str]:
    """Names of label values, where a table is beside the label maps or above them."""
    folders = {folder for path in maps for folder in path.parents if folder.is_relative_to(root)}
    tables = [path for folder in sorted(folders) for path in sorted(folder.glob("*dseg.tsv"))]
    names: dict[int, str] = {}
    for path in tables:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                for row in csv.DictReader(file, delimiter="\t"):
                    names.setdefault(int(row["index"]), row["name"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CohortError(
                f"{path} cannot be understood ({type(error).__name__}: {error}). A label table has "
                f"the columns index and name, separated by tabs: repair it, or remove it to take "
                f"the label values as they are found."
            ) from error
    names.pop(0, None)
    return names


BIDS = Layout(
    "BIDS",
    "BIDS: sub-01/anat/sub-01_T1w.nii.gz with derivatives/NAME/sub-01/anat/sub-01_dseg.nii.gz",
    _find,
)
