from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.cohort.cohort import Case, Cohort
from workbench.cohort.layouts import recognize
from workbench.cohort.split import split_cases
from workbench.errors import CohortError, SettingError


def made(sites: str, unlabeled: frozenset[int] = frozenset()) -> Cohort:
    cases = tuple(
        Case(f"c_{i}", site, {"image": Path("i")}, None if i in unlabeled else Path("l"))
        for i, site in enumerate(sites)
    )
    return Cohort("made", "plain", Path("."), cases, ("image",), {1: "x"})


@given(
    sites=st.text("ab", min_size=2, max_size=40),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
    unlabeled=st.frozensets(st.integers(0, 39)),
)
def test_a_split_is_whole_disjoint_and_tests_on_labeled_blocks(sites, fraction, seed, unlabeled):
    cohort = made(sites, unlabeled)
    labeled = [case for case in cohort.cases if case.label]
    if len(labeled) < 2:
        with pytest.raises(CohortError, match="at least two cases with a label"):
            split_cases(cohort, fraction, seed)
        return
    split = split_cases(cohort, fraction, seed)
    assert sorted(split.pool + split.test) == sorted(case.id for case in cohort.cases)
    assert split.test
    assert any(case.id in split.pool for case in labeled)
    for site in set(sites):
        members = [case.id for case in labeled if case.site == site]
        places = [i for i, case in enumerate(members) if case in split.test]
        assert places == list(range(min(places, default=0), max(places, default=-1) + 1))
    assert all(case.label for case in cohort.cases if case.id in split.test)
    assert split == split_cases(cohort, fraction, seed)


def test_both_sites_are_tested_on(phantom):
    split = split_cases(phantom)
    assert {("CBICA" in case) for case in split.test} == {True, False}


def test_hippocampus_is_tested_on_one_block(shared_data):
    cohort = recognize(shared_data / "hippocampus")
    split = split_cases(cohort)
    ids = [case.id for case in cohort.cases]
    places = [ids.index(case) for case in split.test]
    assert len(places) == 65
    assert places == list(range(places[0], places[0] + 65))


def test_another_seed_tests_on_another_block():
    cohort = made("a" * 40)
    assert len({split_cases(cohort, seed=seed).test for seed in range(8)}) > 3


def test_a_single_case_cannot_be_split(shared_data):
    with pytest.raises(CohortError, match="1 labeled case"):
        split_cases(recognize(shared_data / "brats_layout"))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(SettingError, match="more than 0 and less than 1"):
        split_cases(made("aaaa"), fraction)


def test_validation_cases_that_no_site_can_spare_are_refused():
    with pytest.raises(SettingError, match="no site has a case to spare: there are 4 labeled"):
        split_cases(made("aabb"), 0.25, 0, 0.25)
    assert split_cases(made("aaab"), 0.25, 0, 0.25).validation
