"""What a person chose and labeled since the last round, kept beside the run.

Rounds are kept by `Run`. Between two of them ``session.json`` holds the tuned
strategy, the budget and the slices labeled so far, so that a killed kernel
loses none of it. What a session is made with is that of the run, where there is one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.annotation.history import SampleState
from workbench.cohort.label_source import LabelSource
from workbench.cohort.pool import Pool
from workbench.errors import RunError, SettingError, WorkbenchError, did_you_mean
from workbench.evidence import EvidenceSource
from workbench.experiments.config import RunConfig
from workbench.experiments.runs import Run
from workbench.experiments.simulate import load_round_model
from workbench.files import read_json, write_json
from workbench.rounds import Round
from workbench.strategies import from_record, record
from workbench.strategies.base import QueryStrategy, Suggestions
from workbench.study import Study, rows_of
from workbench.words import count

__all__ = [
    "Restored",
    "missing_annotations",
    "read_ledger_at",
    "restore",
    "rows_taken_back",
    "save",
    "settings_of",
    "with_network",
]


def settings_of(
    folder: Path, source: str, strategy: QueryStrategy | None, given: Mapping[str, Any]
) -> RunConfig:
    """Return the settings of a session: what is given, else the run's, else the defaults.

    Parameters
    ----------
    folder : Path
        Of a run, or of one that is still to be made.
    source : str
        ``"phantom"`` or the folder of a cohort.
    strategy : QueryStrategy or None
        Where it is given.
    given : mapping
        Fields of `RunConfig`.

    Raises
    ------
    SettingError
        If there is no such setting, or one is out of its range.
    """
    known = sorted({entry.name for entry in fields(RunConfig)} - {"source"})
    for name in given:
        if name not in known:
            raise SettingError(
                f"A session has no setting {name!r}.{did_you_mean(name, known)} It has: "
                f"{', '.join(known)}."
            )
    settings: dict[str, Any] = {}
    if (folder / "run.json").is_file():
        with contextlib.suppress(RunError, OSError):  # one that cannot be read is told on opening
            settings = Run.load(folder).config.to_json()
            del settings["annotator"]  # a person does not go on for a simulated one
    if strategy is not None or not settings:
        chosen = strategy if strategy is not None else from_record({"name": "gradient-guided"})
        settings["strategy"] = record(chosen)
    return RunConfig(**{**settings, **given, "source": source})


def save(
    folder: Path,
    pool: Pool,
    round: int,
    strategy: QueryStrategy,
    budget: int,
    ledger_at: Mapping[str, int],
) -> None:
    """Write what was chosen and labeled since `round`, -1 before the first.

    ``ledger_at`` says of each round with which entry the ledger ended when it began to train.
    """
    pending = np.flatnonzero(pool.labeled_in > round)
    write_json(
        folder / "session.json",
        {
            "round": round,
            "strategy": record(strategy),
            "budget": budget,
            "labeled": [str(pool.ids[row]) for row in pending],
            "ledger_at": dict(ledger_at),
        },
    )


def read_ledger_at(folder: Path) -> dict[str, int]:
    """Read what `save` wrote of the ledger; empty where there is nothing."""
    try:
        found = read_json(folder / "session.json").get("ledger_at", {})
        return {str(int(index)): int(number) for index, number in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def missing_annotations(ledger_at: Mapping[str, int], path: Path, last: int) -> str:
    """Say which rounds were trained when the ledger held more than it does; empty if none was.

    Parameters
    ----------
    ledger_at : mapping
        As `read_ledger_at` gave it.
    path : Path
        Of the ledger.
    last : int
        Number of its last entry, 0 where there is no ledger.
    """
    rounds = sorted(int(index) for index, number in ledger_at.items() if number > last)
    if not rounds:
        return ""
    which = f"round{'s' if len(rounds) > 1 else ''} {', '.join(map(str, rounds))}"
    held = count(max(ledger_at.values()), "entry", "entries")
    return (
        f"Annotations of {which} are missing: {path} held {held} when the run was trained with "
        f"them, and {f'holds {last:,}' if path.exists() else 'is not there'} now. Put it back from "
        f"a backup, with the {path.name}-wal that lay beside it if there is one, before anything "
        f"new is drawn, and open the run again."
    )


def rows_taken_back(
    labeled_in: NDArray[np.int32], known: Mapping[int, SampleState]
) -> NDArray[np.int64]:
    """Find the labeled rows whose answer "done" was taken back.

    Parameters
    ----------
    labeled_in : ndarray of int, shape (n,)
        As of `Pool`.
    known : mapping
        What was done on rows, of those on which anything was.

    Returns
    -------
    ndarray of int
        Rows that were answered otherwise in the round that they were labeled in, or later.
    """
    found = [
        row
        for row, state in known.items()
        if not state.done and 0 <= labeled_in[row] <= state.last_answered
    ]
    return np.array(found, np.int64)


@dataclass(frozen=True, eq=False)
class Restored:
    """A session as it was: rounds without networks, tuned settings, the pool with its labels."""

    rounds: tuple[Round, ...]
    pool: Pool
    strategy: QueryStrategy
    budget: int


def restore(
    run: Run,
    pool: Pool,
    budget: int,
    labels: LabelSource,
    known: Mapping[int, Mapping[int, SampleState]],
) -> Restored:
    """Read back a run with at least one round, and what was done since; reads no network.

    Parameters
    ----------
    run : Run
    pool : Pool
        Before anything was labeled.
    budget : int
        Where none was saved.
    labels : LabelSource
        Those that the last round was trained on.
    known : mapping
        By round, what was done on each row when it began to train: what was taken back by then
        it was not trained on; what was taken back later it was.
    """
    rounds: list[Round] = []
    for saved in run.rounds:
        pool = pool.with_labeled(rows_of(pool, saved.labeled), saved.index, again=True)
        labeled_in = pool.labeled_in.copy()
        labeled_in[rows_taken_back(labeled_in, known.get(saved.index, {}))] = -1
        if saved is run.rounds[-1]:  # it has no label, where it is not known when it was taken back
            labeled_in[~labels.available] = -1
        pool = replace(pool, labeled_in=labeled_in)
        rounds.append(
            Round(
                index=saved.index,
                pool=pool,
                model=None,
                losses=saved.losses,
                strategy=from_record(saved.strategy),
                evidence=None,
                suggestions=Suggestions(rows_of(pool, saved.suggested)),
                metrics=saved.metrics,
                seconds=saved.seconds,
                cases=saved.cases,
                annotated=saved.annotated,
                head_losses=saved.head_losses,
                validation=saved.validation,
                validation_losses=saved.validation_losses,
                stopped=saved.stopped,
                effort=saved.effort,
            )
        )
    last = rounds[-1]
    strategy = last.strategy
    path = run.folder / "session.json"
    with contextlib.suppress(WorkbenchError, ValueError, KeyError):
        state = read_json(path) if path.is_file() else {}
        if state.get("round") == last.index:
            pool = pool.with_labeled(rows_of(pool, state["labeled"]), last.index + 1, again=True)
            budget = int(state["budget"])
            strategy = from_record(state["strategy"])
    return Restored(tuple(rounds), pool, strategy, budget)


def with_network(round: Round, run: Run, study: Study, labels: LabelSource) -> Round:
    """Give a round that was read back its network, and the evidence that it stands on.

    Parameters
    ----------
    round : Round
    run : Run
    study : Study
    labels : LabelSource
        Those that it was trained on.

    Raises
    ------
    RunError
        If its weights are absent, damaged, or those of another network.
    """
    model = load_round_model(run, round.index, study)
    trained_on = replace(study, data=replace(study.data, labels=labels))
    evidence = EvidenceSource(trained_on, round.pool, model, round.index)
    return replace(round, model=model, evidence=evidence)
