"""The table that says where the suggestions of each strategy lay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.errors import WorkbenchError
from workbench.experiments.picks import Picks, describe_picks
from workbench.experiments.results import Results
from workbench.jobs import Progress, Work
from workbench.reports.comparison.replay import reopen
from workbench.reports.comparison.tables import Table, number

if TYPE_CHECKING:
    from workbench.experiments.runs import Run
    from workbench.study import Study

__all__ = ["picks_table", "read_picks"]

#: What does not decide data and manifold of a run, besides how much is labeled when.
_ASIDE = ("strategy", "seed", "segmentation", "epochs", "rounds", "budget", "continue_weights")


def read_picks(results: Results) -> Work[pd.DataFrame]:
    """Describe the suggestions of all runs whose manifold is in the cache.

    Returns
    -------
    DataFrame
        ``label, seed``, and the fields of `workbench.experiments.picks.Picks`; one run in a row.
        Runs that learned a manifold in every round are left out, and so are those whose data or
        manifold cannot be opened.
    """
    opened: dict[str, Study | None] = {}
    rows: list[Mapping[str, Any]] = []
    every = [(label, run) for label, runs in results.members.items() for run in runs]
    for place, (label, run) in enumerate(every):
        yield Progress("describing the suggestions", place, len(every))
        if run.config.retrain_manifold:
            continue
        key = _key(run)
        if key not in opened:
            try:
                opened[key] = yield from reopen(run, 0)
            except (WorkbenchError, OSError, RuntimeError):  # told where the maps are missing
                opened[key] = None
        study = opened[key]
        found = describe_picks(run, study) if study is not None else None
        if found is not None:
            rows.append({"label": label, "seed": run.config.seed, **asdict(found)})
    return pd.DataFrame(rows, columns=["label", "seed", *(each.name for each in fields(Picks))])


def _key(run: Run) -> str:
    settings = {k: v for k, v in run.config.to_json().items() if k not in _ASIDE}
    return json.dumps([settings, run.environment["compute"]], sort_keys=True, default=str)


def picks_table(frame: pd.DataFrame, ranked: tuple[str, ...]) -> Table:
    """Tell where the suggestions lay, strategy by strategy, as means over runs."""
    means = frame.drop(columns="seed").groupby("label", sort=False).mean()
    means = means.loc[[label for label in ranked if label in means.index]]
    text = pd.DataFrame(
        {
            "strategy": means.index,
            "with foreground": [_percent(each) for each in means["marked"]],
            "cases of the pool": [_percent(each) for each in means["cases"]],
            "beside a labeled slice": [_percent(each) for each in means["adjacent"]],
            "to the nearest labeled (u)": [number(each, 1) for each in means["to_labeled"]],
            "pool to the nearest labeled (u)": [number(each, 1) for each in means["cover"]],
            "in no cone": [_percent(each) for each in means["outside"]],
        }
    )
    before = f"{means['cover_before'].min():.1f} to {means['cover_before'].max():.1f}"
    return Table(
        "picks",
        "Where the suggestions lay",
        frame,
        text,
        note="Means over runs, the initial set left out. Distances are medians over suggestions, "
        "and means over the pool at the end, in neighbor distances u of each run's manifold; after "
        f"the initial set the pool lay {before} u from the nearest labeled. Few cases, many "
        "neighbors and a far pool tell of suggestions that repeat what is labeled already.",
    )


def _percent(share: float) -> str:
    return "–" if pd.isna(share) else f"{100 * share:.0f} %"
