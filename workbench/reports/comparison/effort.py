"""What annotating cost: the effort saved in every iteration, and which cases were asked for."""

from __future__ import annotations

import pandas as pd

from workbench.cohort.pool import SliceId
from workbench.experiments.results import Results
from workbench.experiments.summaries import saved_effort
from workbench.reports.comparison.tables import Table, number

__all__ = ["asked_cases_table", "effort_tables", "saved_effort_table"]


def effort_tables(results: Results) -> tuple[Table, ...]:
    """The tables that these runs have something for."""
    tables = (saved_effort_table(results), asked_cases_table(results))
    return tuple(table for table in tables if table is not None)


def saved_effort_table(results: Results) -> Table | None:
    """Tell the saved effort of every iteration and class, as the effort paper's tables 3 and 4.

    None where nobody drew the labels.
    """
    found = saved_effort(results)
    if found.empty:
        return None
    rounds = list(dict.fromkeys(sorted(found["round"])))
    rows = []
    for (label, name), own in found.groupby(["label", "class"], sort=False):
        at = own.set_index("round")["saved"]
        cells = {f"iteration {index}": _percent(at.get(index)) for index in rounds}
        rows.append(
            {"strategy": label, "class": name, **cells, "mean": _percent(own["saved"].mean())}
        )
    rho = found["spearman"].dropna()
    told = ""
    if len(rho):
        told = (
            f" Rank correlation (Spearman) of predicted with measured effort: {rho.mean():.2f}, "
            f"mean over runs and rounds."
        )
    return Table(
        "saved-effort",
        "Effort saved by pre-annotations (%)",
        found,
        pd.DataFrame(rows),
        note="C / L: share of the contour of what was annotated that the prediction it began from "
        f"has at the same pixels (tolerance 0 px), over all slices of the iteration.{told}",
    )


def asked_cases_table(results: Results) -> Table | None:
    """Tell which cases each run annotated, round by round; None where single slices are asked for.

    What is worth annotating differs from network to network (effort paper, §4).
    """
    rows = []
    for label, runs in results.members.items():
        for run in runs:
            if run.config.unit == "slices":
                return None
            for saved in run.rounds:
                volumes = run.config.unit == "volumes"
                cases = dict.fromkeys(
                    name if volumes else SliceId.parse(name).case for name in saved.labeled
                )
                rows += [(label, run.config.seed, saved.index, case) for case in cases]
    frame = pd.DataFrame(rows, columns=["label", "seed", "round", "case"])
    text = []
    for (label, seed), own in frame.groupby(["label", "seed"], sort=False):
        cells = {
            "at first" if index == 0 else f"round {index}": ", ".join(
                own[own["round"] == index]["case"]
            )
            for index in sorted(set(frame["round"]))
        }
        text.append({"strategy": label, "seed": number(float(seed), 0), **cells})
    return Table(
        "asked-cases",
        "Cases that were annotated, in order",
        frame,
        pd.DataFrame(text),
        note="At one seed all runs begin with the same cases.",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None or pd.isna(share) else f"{100 * share:.1f}"
