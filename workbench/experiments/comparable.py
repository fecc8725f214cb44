"""Whether runs may be compared, and what tells them apart.

A comparison is worth its protocol: runs of other cohorts, test cases, schedules
or initial sets are refused, by name. What else differs between runs of one
strategy becomes part of its label.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.errors import RunError
from workbench.experiments.costs import EFFORTS, GIVEN, efforts
from workbench.experiments.runs import Run, SavedRound
from workbench.words import count

__all__ = [
    "as_text",
    "check_together",
    "differing_hardware",
    "effort_of_all",
    "labels_everything",
    "labels_of",
    "shape",
    "unfit",
    "without_doubles",
]

#: Settings that every run of a comparison shares, the full-data reference too.
COMMON = (
    "cases", "layout", "task", "unknown_labels", "resample", "split_seed", "test_fraction",
    "transfer", "validation_fraction", "stop", "annotator",
)  # fmt: skip
#: Settings of the schedule: one for all runs, and one for all full-data references.
SCHEDULE = ("rounds", "budget", "initial", "unit", "epochs")

#: Beginning of the sentence that says why runs cannot be compared by what a person did.
_NO_EFFORT = "What labels cost a person is no axis here, because"


def labels_everything(run: Run) -> bool:
    """Whether a run is a full-data reference: all is labeled at once, nothing suggested."""
    initial = run.config.initial
    share = float(initial.partition("%")[0]) if isinstance(initial, str) else 0
    return run.config.rounds == 0 and share == 100


def unfit(run: Run) -> str | None:
    """Why a run cannot be compared, or None if it can."""
    done, planned = len(run.rounds), run.config.rounds + 1
    if not done:
        return f"it was begun, but none of its {planned} rounds is finished. Run it again to go on."
    exhausted = not run.rounds[-1].suggested  # everything is labeled
    if done < planned and not exhausted and not run.stopped:
        return f"{done} of its {planned} rounds are finished. Run it again to go on."
    if not all(saved.cases and saved.annotated for saved in run.rounds):
        return (
            "it was made by an older version, which saved no scores of single cases. Run it again "
            "in a new folder."
        )
    if len({as_text(saved.strategy) for saved in run.rounds}) > 1:
        return "its strategy was changed between rounds, so it shows what no single one does."
    if len({as_text(shape(saved)) for saved in run.rounds}) > 1:
        return "its rounds were scored on different cases or regions."
    return None


# -------------------------------------------------------------- what must agree
def check_together(runs: Mapping[str, Run]) -> None:
    """Refuse runs that differ in what a comparison must have in common.

    Raises
    ------
    RunError
        With the runs of each group.
    """
    every = {name: Path(run.config.source).name for name, run in runs.items()}
    _refuse_unless_same("the cohort", every)
    _refuse_other_cases(runs)
    for setting in COMMON:
        _refuse_unless_same(setting, {n: getattr(run.config, setting) for n, run in runs.items()})
    recipes = {name: asdict(run.config.image_recipe()) for name, run in runs.items()}
    _refuse_unless_same("the recipe of the images", recipes)
    compared = {name: run for name, run in runs.items() if not labels_everything(run)}
    full = {name: run for name, run in runs.items() if labels_everything(run)}
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
        told = "volumes" if next(iter(same.values())).config.unit == "volumes" else "slices"
        _refuse_unless_same(
            f"the initial set of seed {seed}",
            {
                n: f"{len(rows)} {told} from {rows[0]} to {rows[-1]}" if rows else f"no {told}"
                for n, rows in first.items()
            },
            keys={n: as_text(rows) for n, rows in first.items()},
        )


def _refuse_other_cases(runs: Mapping[str, Run]) -> None:
    shapes = {name: shape(run.rounds[0]) for name, run in runs.items()}
    _refuse_unless_same("the list of scored regions", {n: s[1] for n, s in shapes.items()})
    shared = set.intersection(*(set(s[0]) for s in shapes.values()))
    told = {}
    for name, (cases, _, _) in shapes.items():
        own = [case for case in cases if case not in shared]
        told[name] = f"{len(cases)} cases" + (f" ({_few(own)} among them)" if own else "")
    _refuse_unless_same("the test set", told, keys={n: as_text(s[0]) for n, s in shapes.items()})


def _refuse_unless_same(
    what: str, values: Mapping[str, Any], keys: Mapping[str, str] | None = None
) -> None:
    """Raise a sentence that names the runs of each group if values (or their keys) differ."""
    groups: dict[str, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(keys[name] if keys else as_text(value), []).append(name)
    if len(groups) > 1:
        told = [f"{_said(values[names[0]], values)} in {_few(names)}" for names in groups.values()]
        raise RunError(
            f"These runs cannot be compared, because {what} is not the same: {'; '.join(told)}. "
            f"Name only the folders of runs that belong together, and report each group apart."
        )


def _said(value: Any, values: Mapping[str, Any]) -> str:
    """Write a value; of settings those that are not the same in all values."""
    if not all(isinstance(each, dict) for each in values.values()):
        return _short(value)
    return ", ".join(f"{key}={_short(value.get(key))}" for key in _differing(values.values()))


def differing_hardware(runs: Mapping[str, Run]) -> list[str]:
    """Say in which part of the hardware mode runs differ."""
    notes = []
    for key in ("device", "precision", "threads"):
        values: dict[str, list[str]] = {}
        for name, run in runs.items():
            values.setdefault(str(run.environment["compute"].get(key)), []).append(name)
        if len(values) > 1:
            told = "; ".join(f"{value} in {_few(names)}" for value, names in values.items())
            notes.append(f"The {key} was not the same in all runs: {told}.")
    return notes


def effort_of_all(
    runs: Mapping[str, Run],
) -> tuple[dict[str, list[dict[str, float]]], int, list[str]]:
    """Return what labels cost a person, if runs can be compared by it.

    They can where after every round as many labels of each run came from the reference, which
    cost nobody anything.

    Returns
    -------
    efforts : dict
        Name of a run to `EFFORTS` up to each round, NaN in full-data references that nobody
        drew. Empty if nobody drew anything, or the runs cannot be compared by it.
    given : int
        How many labels of a run came from the reference, at most; 0 where `efforts` is empty.
    notes : list of str
        What a reader should know of it.
    """
    found = {name: _efforts(run) for name, run in runs.items()}
    compared = {name: each for name, each in found.items() if not labels_everything(runs[name])}
    if not any(compared.values()):
        return {}, 0, []
    missing = [name for name, each in compared.items() if each is None]
    if missing:
        return {}, 0, [f"{_NO_EFFORT} it was not recorded in {_few(missing)}."]
    given = {name: [int(at[GIVEN]) for at in each or ()] for name, each in compared.items()}
    for numbers in itertools.zip_longest(*given.values()):
        values = [each for each in numbers if each is not None]
        if len(set(values)) > 1:
            told = zip(given, numbers, strict=True)
            some = _few([f"{number} in {name}" for name, number in told if number is not None])
            return {}, 0, [f"{_NO_EFFORT} not as much of each came from the reference: {some}."]
    nothing = dict.fromkeys(EFFORTS, float("nan"))
    kept = {
        name: [{key: at[key] for key in EFFORTS} for at in each]
        if each is not None
        else [nothing] * len(runs[name].rounds)
        for name, each in found.items()
    }
    most = max(max(each) for each in given.values())
    volumes = next(iter(runs.values())).config.unit == "volumes"
    note = (
        f"{count(most, 'volume' if volumes else 'slice')} of a run came from the reference. They "
        f"count nothing in what labels cost a person, the same in every run."
    )
    return kept, most, [note] if most else []


def _efforts(run: Run) -> list[dict[str, float]] | None:
    labeled = list(itertools.accumulate(len(saved.labeled) for saved in run.rounds))
    annotated = [saved.annotated for saved in run.rounds]
    return efforts(annotated, labeled, run.config.annotator is not None)


def without_doubles(
    runs: Mapping[str, Run], labels: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Leave out runs that repeat another one.

    Returns
    -------
    names : list of str
        The runs that are left.
    notes : list of str
        A sentence for each that is not.

    Raises
    ------
    RunError
        If two runs of the same settings have other scores.
    """
    notes = []
    kept: dict[tuple[str, int, int], str] = {}
    for name, run in runs.items():
        key = (labels[name], run.config.seed, run.config.manifold_seed)
        if labels_everything(run):  # what is trained on everything owes nothing to a manifold
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
    return list(kept.values()), notes


# ------------------------------------------------------------------------ labels
def labels_of(runs: Mapping[str, Run]) -> tuple[dict[str, str], list[str]]:
    """Name each run by its strategy and by what tells it from others.

    Returns
    -------
    labels : dict
        Name of a run to its label.
    notes : list of str
        What a reader should know of the labels.
    """
    notes = []
    compared = {name: run for name, run in runs.items() if not labels_everything(run)}
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
    return labels, notes


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
    return [name for name in names if len({as_text(each.get(name)) for each in given}) > 1]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else as_text(value)


def shape(saved: SavedRound) -> tuple[list[str], list[str], list[str]]:
    """Test cases, regions and metrics of a round."""
    cases = list(saved.cases)
    regions = list(saved.cases[cases[0]])
    return cases, regions, list(saved.cases[cases[0]][regions[0]])


def as_text(value: Any) -> str:
    """Write plain values so that equal ones are equal texts."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
