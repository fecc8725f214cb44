"""What a person chose and labeled since the last round, kept beside the run.

Rounds are kept by `Run`. Between two of them ``session.json`` holds the tuned
strategy, the budget and the slices labeled so far, so that a killed kernel
loses none of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workbench.cohort.label_source import LabelSource
from workbench.cohort.pool import Pool
from workbench.errors import WorkbenchError
from workbench.evidence import EvidenceSource
from workbench.experiments.runs import Run
from workbench.experiments.simulate import load_round_model
from workbench.files import read_json, write_json
from workbench.rounds import Round
from workbench.strategies import from_record, record
from workbench.strategies.base import QueryStrategy, Suggestions
from workbench.study import Study, rows_of

__all__ = ["Restored", "read_ledger_at", "restore", "save"]


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
        return {str(index): int(number) for index, number in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


@dataclass(frozen=True, eq=False)
class Restored:
    """A session as it was: rounds, tuned settings, and the pool with every label."""

    rounds: tuple[Round, ...]
    pool: Pool
    strategy: QueryStrategy
    budget: int


def restore(run: Run, study: Study, budget: int, labels: LabelSource) -> Restored:
    """Read back a run with at least one round, and what was done since.

    Parameters
    ----------
    run : Run
    study : Study
    budget : int
        Where none was saved.
    labels : LabelSource
        Those that the last round was trained on.
    """
    pool = study.data.pool
    rounds: list[Round] = []
    for saved in run.rounds:
        pool = pool.with_labeled(rows_of(pool, saved.labeled), saved.index)
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
                effort=saved.effort,
            )
        )
    last = rounds[-1]
    model = load_round_model(run, last.index, study)
    trained_on = replace(study, data=replace(study.data, labels=labels))
    evidence = EvidenceSource(trained_on, last.pool, model, last.index)
    last = replace(last, model=model, evidence=evidence)
    strategy = last.strategy
    path = run.folder / "session.json"
    with contextlib.suppress(WorkbenchError, ValueError, KeyError):
        state = read_json(path) if path.is_file() else {}
        if state.get("round") == last.index:
            pool = pool.with_labeled(rows_of(pool, state["labeled"]), last.index + 1)
            budget = int(state["budget"])
            strategy = from_record(state["strategy"])
    return Restored((*rounds[:-1], last), pool, strategy, budget)
