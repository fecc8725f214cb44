"""The label values of a cohort that declares none: as they are found in its label maps."""

from __future__ import annotations

from dataclasses import replace

from workbench.cohort.cohort import Cohort, Problem
from workbench.cohort.indexing import read_label_values
from workbench.errors import CohortError, VolumeError
from workbench.jobs import Work

__all__ = ["with_labels_as_found"]

#: Most classes of a cohort: they are kept as bytes, of which the last marks ignored voxels.
MOST_VALUES = 254


def with_labels_as_found(cohort: Cohort) -> Work[Cohort]:
    """Read every label map for its values; each of them becomes a class.

    Cases whose label map cannot be used are left out, and told.
    """
    values: set[int] = set()
    kept, problems = [], []
    labels = [case.label for case in cohort.cases if case.label is not None]
    found_in = yield from read_label_values(labels, cohort.root)
    for case in cohort.cases:
        if case.label is not None:
            try:
                read = found_in[case.label]
                if isinstance(read, VolumeError):
                    raise read
                found = set(read) - {0}
                if len(found) > MOST_VALUES or (found and min(found) < 0):
                    raise VolumeError(
                        f"{case.label} holds {len(found)} values from {min(found)} to "
                        f"{max(found)}. A label map has at most {MOST_VALUES} values above 0: it "
                        f"may be an image; put it into images/ or take it out."
                    )
            except VolumeError as error:
                problems.append(Problem(case.id, str(error), True))
                continue
            values |= found
        kept.append(case)
    if len(values) > MOST_VALUES:
        raise CohortError(
            f"The label maps hold {len(values)} different values, but there can be {MOST_VALUES} "
            f"classes at most. Merge labels, or check that labels/ holds no images."
        )
    return replace(
        cohort,
        cases=tuple(kept),
        labels={value: f"label {value}" for value in sorted(values)},
        problems=(*cohort.problems, *problems),
    )
