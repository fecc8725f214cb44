"""Errors that a user can act on.

Every one of them says what was found, what would be right and what to do. The
command line prints the sentence without a traceback, the application shows it
beside the step that failed.

::

    WorkbenchError
    ├── CohortError            a folder that cannot be used as a cohort
    │   ├── UnknownLayoutError   no known layout matches
    │   └── VolumeError          one file that cannot be read as a volume
    ├── StoreError             arrays on disk that cannot be written or read
    ├── SettingError           a parameter that is out of range
    ├── StrategyError          a query strategy broke its contract
    │   └── UnknownStrategyError no strategy of that name
    ├── TrainingError          training that cannot give a usable model
    ├── RunError               an experiment folder that cannot be used
    ├── LedgerError            annotations that cannot be saved or read
    └── ReportError            a notebook that cannot be made into a report

`did_you_mean` gives such a sentence the nearest of the names that are known.
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "CohortError",
    "LedgerError",
    "ReportError",
    "RunError",
    "SettingError",
    "StoreError",
    "StrategyError",
    "TrainingError",
    "UnknownLayoutError",
    "UnknownStrategyError",
    "VolumeError",
    "WorkbenchError",
    "did_you_mean",
]


class WorkbenchError(Exception):
    """Anything that went wrong and that a user can mend."""


class CohortError(WorkbenchError):
    """A folder cannot be used as a cohort."""


class UnknownLayoutError(CohortError):
    """No known layout matches a folder."""


class VolumeError(CohortError):
    """One file cannot be read as a volume."""


class StoreError(WorkbenchError):
    """Arrays on disk cannot be written or read."""


class SettingError(WorkbenchError, ValueError):
    """A parameter is out of its range."""


class StrategyError(WorkbenchError):
    """A query strategy broke its contract."""


class UnknownStrategyError(StrategyError):
    """No query strategy has the name that was asked for."""


class TrainingError(WorkbenchError):
    """Training cannot give a usable model."""


class RunError(WorkbenchError):
    """The folder of an experiment cannot be used."""


class LedgerError(WorkbenchError):
    """Annotations cannot be saved or read."""


class ReportError(WorkbenchError):
    """A notebook cannot be made into a report."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Name the known word nearest to an unknown one.

    Returns
    -------
    str
        Such as ``" Did you mean 'random'?"``; empty if none is near.
    """
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
