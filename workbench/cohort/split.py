"""Divide the cases into a pool and a test set, once and for all rounds.

Cases that lie side by side often belong together: two halves of one brain, two
scans of one person. So the test set of each site is one contiguous block of
ids, at a place that the seed chooses, and never a random sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.cohort.cohort import Case, Cohort
from workbench.cohort.layouts import natural_key
from workbench.errors import CohortError, SettingError

__all__ = ["Split", "split_cases"]


@dataclass(frozen=True)
class Split:
    """Ids of the cases of the pool, the test and the validation set, in natural order."""

    pool: tuple[str, ...]
    test: tuple[str, ...]
    validation: tuple[str, ...] = ()


def _why(cohort: Cohort) -> str:
    """The first problem that took a case or its label out of use."""
    first = next((problem.sentence for problem in cohort.problems if problem.fatal), "")
    return f" {first} 'workbench cohort {cohort.root}' tells every problem." if first else ""


def split_cases(
    cohort: Cohort, test_fraction: float = 0.25, seed: int = 0, validation_fraction: float = 0.0
) -> Split:
    """Divide the cases by contiguous blocks of ids, site by site.

    Parameters
    ----------
    cohort : Cohort
        Cases without a label always go to the pool.
    test_fraction : float
        Share of the labeled cases to test on, between 0 and 1.
    seed : int
        Chooses where each site's block begins.
    validation_fraction : float
        Share of the labeled cases that tell when a training should stop, from 0; they are a
        block of those that are not tested on.

    Raises
    ------
    CohortError
        If fewer than two cases have a label: there would be nothing to test on,
        or nothing to learn from.
    SettingError
        If `test_fraction` is not between 0 and 1, nothing would be left for the pool, or
        no site has a case for validation.
    """
    if not 0 < test_fraction < 1:
        raise SettingError(
            f"The test fraction is {test_fraction}. It is the share of the labeled cases to test "
            f"on: more than 0 and less than 1, for example 0.25."
        )
    if not 0 <= validation_fraction < 1 - test_fraction:
        raise SettingError(
            f"The validation fraction is {validation_fraction}, beside {test_fraction} to test on. "
            f"It is at least 0, and both together less than 1: the rest is the pool."
        )
    labeled = [case for case in cohort.cases if case.label is not None]
    if len(labeled) < 2:
        raise CohortError(
            f"The cohort {cohort.name!r} has {len(labeled)} labeled "
            f"{'case' if len(labeled) == 1 else 'cases'} ({len(cohort.cases)} in all). "
            f"Pool and test set need different patients: at least two cases with a label. Add "
            f"cases or labels.{_why(cohort)}"
        )
    rng = np.random.default_rng((seed, 11))
    sites: dict[str, list[Case]] = {}
    for case in sorted(labeled, key=lambda case: natural_key(case.id)):
        sites.setdefault(case.site, []).append(case)
    test: set[str] = set()
    for site in sorted(sites):
        members = sites[site]
        count = min(max(round(len(members) * test_fraction), 1), len(members) - 1)
        start = int(rng.integers(len(members) - count + 1))
        test |= {case.id for case in members[start : start + count]}
    if not test:  # every site has a single case: the last one is tested on
        test = {labeled[-1].id}
    validation: set[str] = set()
    for site in sorted(sites) if validation_fraction else ():
        members = [case for case in sites[site] if case.id not in test]
        count = min(max(round(len(sites[site]) * validation_fraction), 1), len(members) - 1)
        start = int(rng.integers(len(members) - count + 1))
        validation |= {case.id for case in members[start : start + count]}
    if validation_fraction and not validation:
        raise SettingError(
            f"The validation fraction is {validation_fraction}, but no site has a case to spare: "
            f"there are {len(labeled):,} labeled cases, {len(test):,} of them to test on, and each "
            f"site keeps one for the pool. Add cases, or leave out --validation "
            f"(validation_fraction = 0)."
        )
    return Split(
        pool=tuple(case.id for case in cohort.cases if case.id not in test | validation),
        test=tuple(case.id for case in cohort.cases if case.id in test),
        validation=tuple(case.id for case in cohort.cases if case.id in validation),
    )
