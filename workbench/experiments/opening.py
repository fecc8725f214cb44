"""Open the cohort of a run as its settings say: for a simulation, a person or an export."""

from __future__ import annotations

from functools import partial

from workbench.experiments.config import RunConfig
from workbench.jobs import Work
from workbench.study import REFERENCED, Candidates, Data, open_data

__all__ = ["open_cohort_of"]


def open_cohort_of(
    config: RunConfig, candidates: Candidates = REFERENCED, rounds: int | None = None
) -> Work[Data]:
    """Open the cohort of a run, divided into pool and test set.

    Parameters
    ----------
    config : RunConfig
        The run's settings.
    candidates : {"referenced", "all", "auto"}
        As in `open_data`: a simulation knows only labels that are there, a person draws others.
    rounds : int, optional
        Refuse, as early as it is known, a pool with too few cases for so many rounds.

    Raises
    ------
    CohortError
        If the cohort cannot be used.
    SettingError
        If there are too few cases.
    """
    return (
        yield from open_data(
            config.source,
            recipe=config.image_recipe(),
            test_fraction=config.test_fraction,
            validation_fraction=config.validation_fraction,
            seed=config.split_seed,
            cases=config.cases,
            transfer=config.transfer,
            options=config.cohort_options(),
            candidates=candidates,
            enough=None if rounds is None else partial(config.check_cases, rounds=rounds),
        )
    )
