"""Many runs as one table, if they belong together.

A comparison is worth its protocol: runs of other cohorts, test cases or settings
are refused, by name. A run that is not finished, or cannot be read, is left out
and listed, so that nothing is lost without a word.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import RunError
from workbench.experiments.runs import Run, SavedRound

__all__ = ["COSTS", "LeftOut", "Results", "read_results"]

#: What a round may have cost: slices annotated; slices shown (each suggested one with its two
#: neighbors); cases with an annotated slice; all pixels of the annotated slices.
COSTS = ("slices", "shown", "cases", "pixels")

#: Settings that every run of a comparison shares, the full-data reference too.
COMMON = (
    "cases", "layout", "task", "unknown_labels", "resample", "split_seed", "test_fraction",
    "transfer",
)  # fmt: skip
#: Settings of the schedule: one for all runs, and one for all full-data references.
SCHEDULE = ("rounds", "budget", "initial", "unit", "epochs")


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
        pixels, foreground_pixels, seconds_training, seconds_suggesting, case, region, metric,
        value``. Costs are those up to the round; ``cases`` counts, ``case`` is the id of a test
        case; the region ``"mean"`` is the mean over the others.
    rounds : DataFrame
        One round in a row: the columns up to ``seconds_suggesting``.
    ceiling : DataFrame
        As `scores`, of the full-data references; empty if there are none.
    runs : DataFrame
        One run in a row, references too: ``run, label, seed, manifold_seed, parameters, rounds,
        device, precision, threads, folder``.
    members : mapping of str to tuple of Run
        The runs of each label, references left out.
    left_out : tuple of LeftOut
        What was found and is not in the tables.
    notes : tuple of str
        What a reader should know, such as runs in different precision.
    """

    scores: pd.DataFrame
    rounds: pd.DataFrame
    ceiling: pd.DataFrame
    runs: pd.DataFrame
    members: Mapping[str, tuple[Run, ...]]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Strategies with the parameters in which they differ, in the order they were found."""
        return tuple(self.members)

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
        why = _unfit(run)
        if why:
            left_out.append(LeftOut(folder, why))
        else:
            runs[names[folder]] = run
    if all(_labels_everything(run) for run in runs.values()):
        raise RunError(_nothing(len(runs), left_out))
    _check_together(runs)
    notes = _differing_hardware(runs)
    labels = _labels(runs, notes)
    kept = _without_doubles(runs, labels, notes)
    scores = {name: _scores(name, labels[name], runs[name]) for name in kept}
    compared = [name for name in kept if not _labels_everything(runs[name])]
    tables = pd.concat([scores[name] for name in compared], ignore_index=True)
    full = [scores[name] for name in kept if _labels_everything(runs[name])]
    per_round = [*tables.columns[: list(tables.columns).index("seconds_suggesting") + 1]]
    members: dict[str, list[Run]] = {}
    for name in compared:
        members.setdefault(labels[name], []).append(runs[name])
    return Results(
        scores=tables,
        rounds=tables.drop_duplicates(["run", "round"])[per_round].reset_index(drop=True),
        ceiling=pd.concat(full, ignore_index=True) if full else tables.iloc[:0].copy(),
        runs=pd.DataFrame([_row(name, labels[name], runs[name]) for name in kept]),
        members={label: tuple(each) for label, each in members.items()},
        left_out=tuple(left_out),
        notes=tuple(notes),
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


def _labels_everything(run: Run) -> bool:
    """Whether a run is a full-data reference: all is labeled at once, nothing suggested."""
    initial = run.config.initial
    share = float(initial.partition("%")[0]) if isinstance(initial, str) else 0
    return run.config.rounds == 0 and share == 100


def _unfit(run: Run) -> str | None:
    """Why a run cannot be compared, or None if it can."""
    done, planned = len(run.rounds), run.config.rounds + 1
    if not done:
        return f"it was begun, but none of its {planned} rounds is finished. Run it again to go on."
    exhausted = not run.rounds[-1].suggested  # everything is labeled
    if done < planned and not exhausted:
        return f"{done} of its {planned} rounds are finished. Run it again to go on."
    if not all(saved.cases and saved.annotated for saved in run.rounds):
        return (
            "it was made by an older version, which saved no scores of single cases. Run it again "
            "in a new folder."
        )
    if len({_text(saved.strategy) for saved in run.rounds}) > 1:
        return "its strategy was changed between rounds, so it shows what no single one does."
    if len({_text(_shape(saved)) for saved in run.rounds}) > 1:
        return "its rounds were scored on different cases or regions."
    return None


def _nothing(count: int, left_out: Sequence[LeftOut]) -> str:
    if count:
        return (
            "There are only full-data references. Name the folders of runs with at least one "
            "round of suggestions too."
        )
    told = " ".join(str(each) for each in left_out[:4])
    more = f" (and {len(left_out) - 4} more)" if len(left_out) > 4 else ""
    return f"There is no finished run to compare. {told or 'No folder was named.'}{more}"


# -------------------------------------------------------------- what must agree
def _check_together(runs: Mapping[str, Run]) -> None:
    every = {name: Path(run.config.source).name for name, run in runs.items()}
    _refuse_unless_same("the cohort", every)
    _refuse_other_cases(runs)
    for setting in COMMON:
        _refuse_unless_same(setting, {n: getattr(run.config, setting) for n, run in runs.items()})
    recipes = {name: asdict(run.config.image_recipe()) for name, run in runs.items()}
    _refuse_unless_same("the recipe of the images", recipes)
    compared = {name: run for name, run in runs.items() if not _labels_everything(run)}
    full = {name: run for name, run in runs.items() if _labels_everything(run)}
    for group in (compared, full):
        for setting in SCHEDULE:
            values = {name: getattr(run.config, setting) for name, run in group.items()}
            of = " of the full-data references" if group is full else ""
            _refuse_unless_same(setting + of, values)
    _refuse_unless_same(
        "the training of the full-data references", {n: _training(run) for n, run in full.items()}
    )
    for seed in dict.fromkeys(run.config.seed for run in compared.values()):
        same = {n: run for n, run in compared.items() if run.config.seed == seed}
        first = {n: sorted(run.rounds[0].labeled) for n, run in same.items()}
        _refuse_unless_same(
            f"the initial set of seed {seed}",
            {n: f"{len(rows)} slices from {rows[0]} to {rows[-1]}" for n, rows in first.items()},
            keys={n: _text(rows) for n, rows in first.items()},
        )


def _refuse_other_cases(runs: Mapping[str, Run]) -> None:
    shapes = {name: _shape(run.rounds[0]) for name, run in runs.items()}
    _refuse_unless_same("the list of scored regions", {n: shape[1] for n, shape in shapes.items()})
    shared = set.intersection(*(set(shape[0]) for shape in shapes.values()))
    told = {}
    for name, (cases, _, _) in shapes.items():
        own = [case for case in cases if case not in shared]
        told[name] = f"{len(cases)} cases" + (f" ({_few(own)} among them)" if own else "")
    _refuse_unless_same("the test set", told, keys={n: _text(s[0]) for n, s in shapes.items()})


def _refuse_unless_same(
    what: str, values: Mapping[str, Any], keys: Mapping[str, str] | None = None
) -> None:
    """Raise a sentence that names the runs of each group if values (or their keys) differ."""
    groups: dict[str, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(keys[name] if keys else _text(value), []).append(name)
    if len(groups) > 1:
        told = [f"{_said(values[names[0]], values)} in {_few(names)}" for names in groups.values()]
        raise RunError(
            f"These runs cannot be compared, because {what} is not the same: {'; '.join(told)}. "
            f"Name only the folders of runs that belong together, and report each group apart."
        )


def _said(value: Any, values: Mapping[str, Any]) -> str:
    """Write a value; of settings those that are not the same in all values."""
    if not isinstance(value, dict):
        return _short(value)
    return ", ".join(f"{key}={_short(value.get(key))}" for key in _differing(values.values()))


def _differing_hardware(runs: Mapping[str, Run]) -> list[str]:
    notes = []
    for key in ("device", "precision", "threads"):
        values: dict[str, list[str]] = {}
        for name, run in runs.items():
            values.setdefault(str(run.environment["compute"].get(key)), []).append(name)
        if len(values) > 1:
            told = "; ".join(f"{value} in {_few(names)}" for value, names in values.items())
            notes.append(f"The {key} was not the same in all runs: {told}.")
    return notes


def _without_doubles(
    runs: Mapping[str, Run], labels: Mapping[str, str], notes: list[str]
) -> list[str]:
    """Names without runs that repeat another one; refuse those that contradict it."""
    kept: dict[tuple[str, int, int], str] = {}
    for name, run in runs.items():
        key = (labels[name], run.config.seed, run.config.manifold_seed)
        if _labels_everything(run):  # what is trained on everything owes nothing to a manifold
            key = (*key[:2], 0)
        other = kept.setdefault(key, name)
        if other == name:
            continue
        if [saved.cases for saved in run.rounds] != [s.cases for s in runs[other].rounds]:
            raise RunError(
                f"{other} and {name} are both runs of {labels[name]} with seed {key[1]}, but their "
                f"scores differ. Name only one of the two folders."
            )
        notes.append(f"{name} repeats {other} exactly and is counted once.")
    return list(kept.values())


# ------------------------------------------------------------------------ labels
def _labels(runs: Mapping[str, Run], notes: list[str]) -> dict[str, str]:
    """Name each run by its strategy and by what tells it from others."""
    compared = {name: run for name, run in runs.items() if not _labels_everything(run)}
    labels = {name: "full data" for name in runs if name not in compared}
    training = {name: _training(run) for name, run in compared.items()}
    trained = _differing(training.values())
    if trained:
        notes.append(
            f"Not all runs were trained alike: they differ in {', '.join(trained)}. The names of "
            f"the strategies say how each was trained; a full-data reference fits some of them."
        )
    strategies: dict[str, list[str]] = {}
    for name, run in compared.items():
        title = str(run.rounds[0].strategy["name"]).rpartition(":")[2]
        strategies.setdefault(title, []).append(name)
    for title, members in strategies.items():
        own = {name: _parameters(compared[name]) for name in members}
        for name in members:
            told = {key: own[name][key] for key in _differing(own.values()) if key in own[name]}
            told |= {key: training[name][key] for key in trained}
            inside = ", ".join(f"{key}={_short(value)}" for key, value in told.items())
            labels[name] = f"{title} ({inside})" if inside else title
    return labels


def _training(run: Run) -> dict[str, Any]:
    """How the networks of a run are trained, defaults included."""
    settings = asdict(run.config.segmentation_config())
    return {**settings, "continue_weights": run.config.continue_weights}


def _parameters(run: Run) -> dict[str, Any]:
    """What a strategy was given, its manifold included."""
    return {
        **run.rounds[0].strategy.get("parameters", {}),
        **asdict(run.config.manifold_config()),
        "retrain_manifold": run.config.retrain_manifold,
    }


def _differing(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names whose values are not the same in all settings."""
    given = list(settings)
    names = dict.fromkeys(name for each in given for name in each)
    return [name for name in names if len({_text(each.get(name)) for each in given}) > 1]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else _text(value)


# ------------------------------------------------------------------------ tables
def _scores(name: str, label: str, run: Run) -> pd.DataFrame:
    """All scores of a run, one in a row."""
    cases, regions, metrics = _shape(run.rounds[0])
    places = [*regions, "mean"]
    own = {
        "run": name,
        "label": label,
        "seed": run.config.seed,
        "manifold_seed": run.config.manifold_seed,
    }
    parts = []
    for saved, costs in zip(run.rounds, _costs(run), strict=True):
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


def _costs(run: Run) -> list[dict[str, float]]:
    """What each round had cost."""
    first = run.rounds[0].annotated["slices"]
    costs = []
    for saved in run.rounds:
        slices = saved.annotated["slices"]
        neighbors = 2 * (slices - first) if run.config.unit == "slices" else 0
        costs.append(
            {
                "round": saved.index,
                "slices": slices,
                "shown": slices + neighbors,
                "cases": saved.annotated["cases"],
                "pixels": saved.annotated["pixels"],
                "foreground_pixels": saved.annotated["foreground_pixels"],
                "seconds_training": saved.seconds.get("training", float("nan")),
                "seconds_suggesting": saved.seconds.get("suggesting", float("nan")),
            }
        )
    return costs


def _row(name: str, label: str, run: Run) -> dict[str, Any]:
    compute = run.environment["compute"]
    return {
        "run": name,
        "label": label,
        "seed": run.config.seed,
        "manifold_seed": run.config.manifold_seed,
        "parameters": _text(run.rounds[0].strategy.get("parameters", {})),
        "rounds": len(run.rounds) - 1,
        **{key: compute.get(key) for key in ("device", "precision", "threads")},
        "folder": str(run.folder),
    }


def _shape(saved: SavedRound) -> tuple[list[str], list[str], list[str]]:
    """Test cases, regions and metrics of a round."""
    cases = list(saved.cases)
    regions = list(saved.cases[cases[0]])
    return cases, regions, list(saved.cases[cases[0]][regions[0]])


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
