"""Read a ``dataset.json``: what the images are and what the label values mean.

Two dialects are in use: the Decathlon's (``modality``, labels by value) and
nnU-Net's (``channel_names``, labels by name, regions as lists of values, and the
label "ignore"). What the workbench converts has ``regions`` beside Decathlon labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.cohort.image_files import stem_of
from workbench.errors import CohortError

__all__ = ["DatasetFile", "read_dataset_file"]


@dataclass(frozen=True)
class DatasetFile:
    """What a data set declares about itself; see `Cohort` for the fields.

    ``cases`` are the ids that it lists, empty where it lists none; ``nnunet`` tells which of
    the two dialects it is written in.
    """

    name: str = ""
    channels: tuple[str, ...] = ()
    labels: Mapping[int, str] = field(default_factory=dict)
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    cases: tuple[str, ...] = ()
    ignored: tuple[int, ...] = ()
    nnunet: bool = False


def read_dataset_file(path: Path) -> DatasetFile:
    """Read a ``dataset.json`` in either dialect.

    Raises
    ------
    CohortError
        If the file is no such JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        channels = _names(content.get("channel_names") or content.get("modality") or {"0": "image"})
        labels, regions = _labels(content.get("labels") or {})
        regions |= {name: tuple(values) for name, values in (content.get("regions") or {}).items()}
        ignored = tuple(value for value, name in labels.items() if name == "ignore")
        labels = {value: name for value, name in labels.items() if value not in ignored}
        regions = {name: values for name, values in regions.items() if name != "ignore"}
        listed = content.get("training") or []
        cases = tuple(
            stem_of(Path(entry["image"] if isinstance(entry, dict) else entry))
            for entry in (listed if isinstance(listed, list) else [])
        )
        return DatasetFile(
            str(content.get("name", "")), channels, labels, regions, cases, ignored,
            nnunet="channel_names" in content,
        )  # fmt: skip
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise CohortError(
            f"{path} cannot be understood ({type(error).__name__}: {error}). It is a JSON object "
            f'with "modality" (or "channel_names"), "labels" and "training", as the Medical '
            f"Segmentation Decathlon writes it: repair it, or remove it and name the folders "
            f"images/ and labels/."
        ) from error


def _names(declared: Mapping[str, str]) -> tuple[str, ...]:
    """Channel names in order, each of them once."""
    names: list[str] = []
    for index in sorted(declared, key=int):
        name = str(declared[index])
        names.append(f"{name} {index}" if name in names else name)
    return tuple(names)


def _labels(
    declared: Mapping[str, Any],
) -> tuple[dict[int, str], dict[str, tuple[int, ...]]]:
    """Names of label values, and regions where values are lists."""
    labels: dict[int, str] = {}
    regions: dict[str, tuple[int, ...]] = {}
    for key, value in declared.items():
        if isinstance(value, list):
            regions[key] = tuple(int(each) for each in value)
        elif isinstance(value, str):
            labels[int(key)] = value
        else:
            labels[int(value)] = key
    for values in regions.values():
        for each in values:
            labels.setdefault(each, f"label {each}")
    labels.pop(0, None)
    if regions:  # a name that stands for one value is scored beside the unions
        regions |= {name: (v,) for v, name in labels.items() if not name.startswith("label ")}
    return labels, regions
