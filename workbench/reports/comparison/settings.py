"""Every setting, seed and version that a comparison stands on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from workbench.experiments.results import Results
from workbench.experiments.runs import Run
from workbench.reports.comparison.tables import Table, number

__all__ = ["runs_table", "settings_table", "versions_table"]

#: Told run by run only where runs differ; the CSV file has them always.
_SHARED = ("device", "precision", "threads")
#: Told run by run, not among the settings.
_OWN = ("seed", "manifold_seed", "strategy")


def settings_table(runs: Sequence[Run], references: Sequence[Run] = ()) -> Table:
    """List every setting with its value, defaults included, and where runs differ.

    Parameters
    ----------
    runs : sequence of Run
        Those that are compared.
    references : sequence of Run
        The full-data runs; their values are told where they are others.
    """
    columns, full = ([_flat(run) for run in each] for each in (runs, references))
    names = list(dict.fromkeys(name for settings in columns for name in settings))
    rows = []
    for name in names:
        told, differs = _values(columns, name)
        rows.append({"setting": name, "value": told, "differs": differs})
        if full:
            of_full, _ = _values(full, name)
            rows[-1]["full data"] = "" if of_full == told else of_full
    frame = pd.DataFrame(rows)
    text = frame.assign(differs=frame["differs"].map({True: "differs", False: ""}))
    text = text.rename(columns={"differs": "between runs"})
    if not frame["differs"].any():
        text = text.drop(columns="between runs")
    return Table(
        "settings",
        "Every setting of the runs",
        frame,
        text,
        note="Strategies, their parameters and the seeds are in the table of runs."
        + (" Of the full-data runs only what is not the same is told." if full else ""),
        folded=not frame["differs"].any(),
    )


def _values(columns: Sequence[Mapping[str, Any]], name: str) -> tuple[str, bool]:
    """Tell the value of a setting, or each value and in how many runs; and whether they differ."""
    values = [_said(settings[name]) for settings in columns if name in settings]
    counts = {value: values.count(value) for value in dict.fromkeys(values)}
    if len(counts) < 2:
        return "".join(counts), False
    of = f"of {len(values)} runs"
    return "; ".join(f"{value} ({n} {of})" for value, n in counts.items()), True


def _flat(run: Run) -> dict[str, Any]:
    """Settings by dotted name, with the values that were used where none was given."""
    config = run.config
    flat = {name: value for name, value in config.to_json().items() if name not in _OWN}
    for section, used in (
        ("recipe", config.image_recipe()),
        ("manifold", config.manifold_config()),
        ("segmentation", config.segmentation_config()),
    ):
        del flat[section]
        flat |= {f"{section}.{name}": value for name, value in asdict(used).items()}
    return flat


def _said(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(_said(each) for each in value)
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def runs_table(results: Results) -> Table:
    """List the runs: strategy, parameters, seeds, rounds, how long they took."""
    rounds = pd.concat([results.rounds, results.ceiling.drop_duplicates(["run", "round"])])
    seconds = rounds["seconds_training"] + rounds["seconds_suggesting"]
    minutes = seconds.groupby(rounds["run"]).sum() / 60
    frame = results.runs.drop(columns="folder").assign(
        minutes=results.runs["run"].map(minutes).astype(float)
    )
    text = frame.assign(
        parameters=[_said(json.loads(told)) for told in frame["parameters"]],
        minutes=[number(each, 1) for each in frame["minutes"]],
    )
    same = [name for name in _SHARED if frame[name].nunique() == 1]
    text = text.drop(columns=same).rename(
        columns={"label": "strategy", "manifold_seed": "manifold seed"}
    )
    return Table(
        "runs",
        "Every run",
        frame,
        text,
        note="Rounds come after the initial set. Minutes are wall time spent on training and "
        "suggesting; networks that were found in the cache cost next to nothing.",
        folded=len(frame) > 20,
    )


def versions_table(runs: Sequence[Run]) -> Table:
    """List hardware mode and versions, and in how many runs they were used."""
    told: dict[tuple[str, str], int] = {}
    for run in runs:
        environment = run.environment
        parts = {
            **{f"compute {name}": value for name, value in environment.get("compute", {}).items()},
            "machine": environment.get("machine"),
            "Python": environment.get("python"),
            **environment.get("packages", {}),
        }
        for name, value in parts.items():
            key = (name, _said(value))
            told[key] = told.get(key, 0) + 1
    frame = pd.DataFrame(
        [{"what": name, "value": value, "runs": count} for (name, value), count in told.items()]
    ).sort_values("what", kind="stable")
    return Table("versions", "Hardware mode and versions", frame, frame)
