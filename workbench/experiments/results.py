"""Many runs as one table, if they belong together.

Runs that may not be compared are refused (see `comparable`). A run that is not
finished, or cannot be read, is left out and listed, so that nothing is lost
without a word.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import RunError
from workbench.experiments.comparable import (
    as_text,
    check_together,
    differing_hardware,
    effort_of_all,
    labels_everything,
    labels_of,
    shape,
    unfit,
    without_doubles,
)
from workbench.experiments.costs import COSTS, EFFORTS, plain_costs
from workbench.experiments.runs import Run

__all__ = ["LeftOut", "Results", "read_results"]

#: What the labels of a run had cost a person up to each round.
Effort = list[dict[str, float]]


@dataclass(frozen=True)
class LeftOut:
    """A folder that is not in the tables, and why."""

    folder: Path
    why: str

    def __str__(self) -> str:
        return f"{self.folder}: {self.why}"


@dataclass(frozen=True, eq=False)
class Results:
    """The scores of runs that may be compared.

    Parameters
    ----------
    scores : DataFrame
        One value in a row: ``run, label, seed, manifold_seed, round, slices, shown, cases,
        pixels, foreground_pixels, pool_cases, all_cases, seconds_training, seconds_suggesting,
        case, region, metric, value``. Costs are those up to the round; ``cases`` counts, also
        those of the pool and of the whole cohort; where every run has them, and as much of
        each came from the reference, `EFFORTS` follow ``all_cases`` (NaN in full-data
        references that nobody drew); ``case`` is the id of a test case; the region
        ``"mean"`` is the mean over the others.
    rounds : DataFrame
        One round in a row: the columns up to ``seconds_suggesting``.
    ceiling : DataFrame
        As `scores`, of the full-data references; empty if there are none.
    runs : DataFrame
        One run in a row, references too: ``run, label, seed, manifold_seed, parameters, rounds,
        device, precision, threads, folder``.
    members : mapping of str to tuple of Run
        The runs of each label, references left out.
    references : tuple of Run
        The full-data references.
    left_out : tuple of LeftOut
        What was found and is not in the tables.
    notes : tuple of str
        What a reader should know, such as runs in different precision.
    from_reference : int
        Slices, or volumes, of a run that came from the reference and count nothing in `EFFORTS`,
        at most; 0 where there are no `EFFORTS`.
    """

    scores: pd.DataFrame
    rounds: pd.DataFrame
    ceiling: pd.DataFrame
    runs: pd.DataFrame
    members: Mapping[str, tuple[Run, ...]]
    references: tuple[Run, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    from_reference: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """Strategies with the parameters in which they differ, in the order they were found."""
        return tuple(self.members)

    @property
    def costs(self) -> tuple[str, ...]:
        """What curves of these runs can be drawn against."""
        return (*COSTS, *(each for each in EFFORTS if each in self.scores))

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that were scored, ``"mean"`` last."""
        return tuple(self.scores["region"].unique())


def read_results(folders: Iterable[str | Path]) -> Results:
    """Read runs into tables.

    Parameters
    ----------
    folders : iterable of str or Path
        Folders of runs, or folders that hold some at any depth.

    Returns
    -------
    Results
        Of the runs that are finished. A label is the name of a strategy, with those
        parameters of it and of its manifold in which the given runs of that strategy differ,
        and those settings of training in which any of the runs do.

    Raises
    ------
    RunError
        If the runs do not belong together (other cohorts, test cases, schedules or initial
        sets; different ceilings; two runs of the same settings that differ), or none is
        finished.
    """
    found, left_out = _find(folders)
    runs: dict[str, Run] = {}
    names = _names(found)
    for folder in found:
        try:
            run = Run.load(folder)
        except RunError as error:
            left_out.append(LeftOut(folder, f"it {str(error).removeprefix(f'{folder} ')}"))
            continue
        why = unfit(run)
        if why:
            left_out.append(LeftOut(folder, why))
        else:
            runs[names[folder]] = run
    if all(labels_everything(run) for run in runs.values()):
        raise RunError(_nothing(len(runs), left_out))
    check_together(runs)
    labels, said = labels_of(runs)
    kept, repeated = without_doubles(runs, labels)
    effort, given, told = effort_of_all({name: runs[name] for name in kept})
    scores = {name: _scores(name, labels[name], runs[name], effort.get(name)) for name in kept}
    compared = [name for name in kept if not labels_everything(runs[name])]
    tables = pd.concat([scores[name] for name in compared], ignore_index=True)
    everything = [name for name in kept if name not in compared]
    full = [scores[name] for name in everything]
    members: dict[str, list[Run]] = {}
    for name in compared:
        members.setdefault(labels[name], []).append(runs[name])
    return Results(
        scores=tables,
        rounds=tables.drop_duplicates(["run", "round"])
        .loc[:, :"seconds_suggesting"]
        .reset_index(drop=True),
        ceiling=pd.concat(full, ignore_index=True) if full else tables.iloc[:0].copy(),
        runs=pd.DataFrame([_row(name, labels[name], runs[name]) for name in kept]),
        members={label: tuple(each) for label, each in members.items()},
        references=tuple(runs[name] for name in everything),
        left_out=tuple(left_out),
        notes=(*differing_hardware(runs), *said, *repeated, *told),
        from_reference=given,
    )


# ----------------------------------------------------------------------- finding
def _find(folders: Iterable[str | Path]) -> tuple[list[Path], list[LeftOut]]:
    """Folders with a run, each once, and folders in which one was expected."""
    found: dict[Path, None] = {}
    left_out: list[LeftOut] = []
    for given in map(Path, folders):
        if (given / "run.json").is_file():
            found[given.resolve()] = None
            continue
        below = sorted(path.parent for path in given.rglob("run.json"))
        found |= dict.fromkeys(path.resolve() for path in below)
        begun = sorted({path.parent for path in given.rglob("rounds") if path.is_dir()})
        left_out += [
            LeftOut(folder, "it has rounds but no run.json; restore that file from a copy.")
            for folder in begun
            if not (folder / "run.json").is_file()
        ]
        if not below and not begun:
            there = "holds no run" if given.is_dir() else "is not there"
            left_out.append(LeftOut(given, f"it {there}."))
    return list(found), left_out


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    """Short names of folders: what is left of their paths without the common beginning."""
    if len({folder.name for folder in folders}) == len(folders):
        return {folder: folder.name for folder in folders}
    common = os.path.commonpath(folders)
    return {folder: folder.relative_to(common).as_posix() for folder in folders}


def _nothing(count: int, left_out: Sequence[LeftOut]) -> str:
    if count:
        return (
            "There are only full-data references. Name the folders of runs with at least one "
            "round of suggestions too."
        )
    told = " ".join(str(each) for each in left_out[:4])
    more = f" (and {len(left_out) - 4} more)" if len(left_out) > 4 else ""
    return f"There is no finished run to compare. {told or 'No folder was named.'}{more}"


# ------------------------------------------------------------------------ tables
def _scores(name: str, label: str, run: Run, effort: Effort | None) -> pd.DataFrame:
    """All scores of a run, one in a row."""
    cases, regions, metrics = shape(run.rounds[0])
    places = [*regions, "mean"]
    own = {
        "run": name,
        "label": label,
        "seed": run.config.seed,
        "manifold_seed": run.config.manifold_seed,
    }
    parts = []
    for saved, costs in zip(run.rounds, _costs(run, effort), strict=True):
        values = np.array(
            [[[saved.cases[c][r][m] for m in metrics] for r in regions] for c in cases], float
        )
        values = np.concatenate([values, values.mean(axis=1, keepdims=True)], axis=1)
        table = pd.DataFrame(
            {
                **own,
                **costs,
                "case": np.repeat(cases, len(places) * len(metrics)),
                "region": np.tile(np.repeat(places, len(metrics)), len(cases)),
                "metric": np.tile(metrics, len(cases) * len(places)),
                "value": values.ravel(),
            }
        )
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _costs(run: Run, effort: Effort | None) -> list[dict[str, float]]:
    """What each round had cost; `effort` too, only if labels were drawn."""
    plain = plain_costs([saved.annotated for saved in run.rounds], run.config.unit)
    return [
        {
            "round": saved.index,
            **costs,
            "foreground_pixels": saved.annotated["foreground_pixels"],
            "pool_cases": saved.pool.get("cases", float("nan")),
            "all_cases": saved.pool.get("all_cases", float("nan")),
            **(effort[place] if effort else {}),
            "seconds_training": saved.seconds.get("training", float("nan")),
            "seconds_suggesting": saved.seconds.get("suggesting", float("nan")),
        }
        for place, (saved, costs) in enumerate(zip(run.rounds, plain, strict=True))
    ]


def _row(name: str, label: str, run: Run) -> dict[str, Any]:
    compute = run.environment["compute"]
    return {
        "run": name,
        "label": label,
        "seed": run.config.seed,
        "manifold_seed": run.config.manifold_seed,
        "parameters": as_text(run.rounds[0].strategy.get("parameters", {})),
        "rounds": len(run.rounds) - 1,
        **{key: compute.get(key) for key in ("device", "precision", "threads")},
        "folder": str(run.folder),
    }
