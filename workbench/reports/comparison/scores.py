"""The tables of a comparison, from its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.experiments.comparison import NEEDED_CASES, NEEDED_SEEDS, Comparison
from workbench.experiments.pairs import comparison_table
from workbench.experiments.results import Results
from workbench.experiments.summaries import repetitions
from workbench.reports.comparison.numbers import REFERENCE, TARGET, Numbers, needs_of
from workbench.reports.comparison.tables import Table, number, p_value, plus_minus, seeds_told
from workbench.reports.figures.axis_titles import UNITS, brief_cost, region_title
from workbench.strategies.needs import ON_MANIFOLD

__all__ = [
    "TESTS_NOTE",
    "annotated_table",
    "area_table",
    "needed_table",
    "penalties_table",
    "reached_table",
    "rounds_table",
    "seconds_table",
    "strategies_table",
    "tests_tables",
    "wins_table",
]

#: What the runs that label everything are called.
FULL = "full data"

_SPREAD = (
    "Mean ± sd over n runs, whose test cases are averaged first; in brackets the 95 % bootstrap "
    "interval of the mean, too narrow where runs are few."
)


def strategies_table(results: Results) -> Table:
    """List the strategies: how many seeds, runs and VAEs stand behind each."""
    frame = repetitions(results)
    which, vaes = [], []
    for place, label in enumerate(frame["label"]):
        runs = results.members[label]
        which.append(seeds_told(sorted({run.config.seed for run in runs})))
        needs = needs_of(results, label)
        if needs is not None and not any(isinstance(need, ON_MANIFOLD) for need in needs):
            frame.loc[place, "manifolds"] = 0
        elif any(run.config.retrain_manifold for run in runs):
            frame.loc[place, "manifolds"] *= max(len(run.rounds) for run in runs)
        count = int(frame.loc[place, "manifolds"])
        told = "none used" if not count else str(count)
        vaes.append(f"{told} or none" if needs is None else told)
    text = pd.DataFrame(
        {
            "strategy": frame["label"],
            "runs": frame["runs"],
            "seeds": which,
            "VAEs": vaes,
        }
    )
    return Table(
        "strategies",
        "What stands behind each curve and its band",
        frame,
        text,
        note="A run is a seed with its VAE. The seed decides initial set, initial weights, "
        "augmentation and what a strategy draws. Where one VAE stands behind a band, the band "
        "does not show how results differ between manifolds.",
    )


def reached_table(numbers: Numbers, metric: str) -> Table:
    """Tell each region's score in the last round, mean ± sd and interval."""
    lines = numbers.curves[
        (numbers.curves["round"] == numbers.last) & (numbers.curves["metric"] == metric)
    ]
    full = numbers.ceiling[numbers.ceiling["metric"] == metric].assign(label=FULL)
    columns = ["label", "region", "mean", "sd", "low", "high", "n"]
    frame = pd.concat([each[columns] for each in (lines, full) if len(each)], ignore_index=True)
    regions = sorted(dict.fromkeys(frame["region"]), key=lambda region: region != "mean")
    digits = 3 if metric == "dice" else 2
    rows = []
    for label in [*numbers.ranked, *([FULL] if len(full) else [])]:
        own = frame[frame["label"] == label].set_index("region")
        cells = {region_title(region): _spread(own.loc[region], digits) for region in regions}
        rows.append({"strategy": label, "n": str(int(own["n"].max())), **cells})
    annotated = number(numbers.annotated_at(numbers.last), 0)
    return Table(
        f"scores-{metric}",
        f"{UNITS[metric]} in round {numbers.last}, {annotated} {numbers.counted[0]} annotated",
        frame,
        pd.DataFrame(rows),
        note=f"{_SPREAD}{_penalized(numbers) if metric in ('hd', 'hd95') else ''}",
    )


def _penalized(numbers: Numbers) -> str:
    if _penalties(numbers).empty:
        return ""
    return " Some of these distances are penalties, which stand for an empty mask: see below."


def _spread(row: pd.Series, digits: int) -> str:
    told = plus_minus(row["mean"], row["sd"], digits)
    if pd.isna(row["low"]):
        return told
    return f"{told} [{number(row['low'], digits)}, {number(row['high'], digits)}]"


def rounds_table(numbers: Numbers) -> Table:
    """Tell the mean Dice of every round, mean ± sd."""
    lines = numbers.curves[
        (numbers.curves["metric"] == "dice") & (numbers.curves["region"] == "mean")
    ]
    rounds = sorted(dict.fromkeys(lines["round"]))
    rows = []
    for label in numbers.ranked:
        own = lines[lines["label"] == label].set_index("round")
        cells = {
            f"round {index} ({number(numbers.annotated_at(index), 0)} {numbers.counted[0]})": (
                plus_minus(own.loc[index, "mean"], own.loc[index, "sd"])
                if index in own.index
                else "–"
            )
            for index in rounds
        }
        rows.append({"strategy": label, **cells})
    return Table(
        "dice-by-round",
        "Mean Dice of the regions, round by round",
        lines.reset_index(drop=True),
        pd.DataFrame(rows),
        note="Mean ± sd over runs. At one seed round 0 is the same for strategies that train "
        "the same network.",
    )


def area_table(numbers: Numbers) -> Table:
    """Tell the area under the budget curve against each cost."""
    chosen = numbers.areas[
        (numbers.areas["metric"] == "dice") & (numbers.areas["region"] == "mean")
    ]
    rows = []
    for label in numbers.ranked:
        own = chosen[chosen["label"] == label].set_index("cost")
        cells = {f"against {brief_cost(cost)}": _spread(own.loc[cost], 3) for cost in own.index}
        rows.append({"strategy": label, **cells})
    return Table(
        "area",
        "Area under the budget curve of the mean Dice",
        numbers.areas[numbers.areas["metric"].isin(numbers.metrics)],
        pd.DataFrame(rows),
        note="Normalized by the length of the budget axis, so that a constant Dice scores itself. "
        f"{_SPREAD}",
    )


def needed_table(numbers: Numbers) -> Table | None:
    """Tell the budget for 99 % of the full-data Dice; None without a full-data run."""
    if numbers.needed.empty:
        return None
    rows = []
    for label in numbers.ranked:
        own = numbers.needed[numbers.needed["label"] == label].set_index("cost")
        cells = {
            brief_cost(
                cost
            ): f"{number(own.loc[cost, 'budget'], 0)} ({_share(own.loc[cost, 'of_all'], 1)})"
            if math.isfinite(own.loc[cost, "budget"])
            else "not reached"
            for cost in own.index
        }
        reached, n = (int(own[key].iloc[0]) for key in ("reached", "n"))
        rows.append({"strategy": label, **cells, "runs that reach it": f"{reached} of {n}"})
    passed = ""
    if numbers.above_ceiling is not None:
        passed = " Training on everything is no ceiling here, so these budgets say little."
    return Table(
        "needed",
        f"Budget for {TARGET:.0%} of the full-data Dice".replace("%", " %"),
        numbers.needed,
        pd.DataFrame(rows),
        note="Where the curve of the mean over runs crosses it, straight lines between rounds; in "
        f"brackets the share of what the full-data runs cost.{passed}",
        folded=not numbers.needed["reached"].any(),
    )


def tests_tables(numbers: Numbers) -> list[Table]:
    """Tell every strategy against the reference, the two best, and all pairs."""
    found = []
    for metric, at in dict.fromkeys((each.metric, each.at) for each in numbers.against):
        chosen = [each for each in numbers.against if (each.metric, each.at) == (metric, at)]
        name = f"against-{REFERENCE}-{'area' if at == 'area' else metric}"
        caption = f"Every strategy against {REFERENCE}: {_measured(chosen[0])}"
        found.append(Table(name, caption, comparison_table(chosen), _tests(chosen)))
    if numbers.best:
        note = ""
        if numbers.peeking:
            names = ", ".join(numbers.peeking)
            note = f"Left out, as they see references that nobody drew: {names}."
        text = _tests(numbers.best, "against", "measured")
        frame = comparison_table(numbers.best)
        found.append(Table("best-two", "The two best, by each measure", frame, text, note))
    if len(numbers.ranked) > 2:
        caption = f"All pairs: {_measured(numbers.pairs[0])}"
        text = _tests(numbers.pairs, "against")
        frame = comparison_table(numbers.pairs)
        found.append(Table("pairs", caption, frame, text, folded=True))
    return found


def _tests(comparisons: Sequence[Comparison], *more: str) -> pd.DataFrame:
    """Tell differences, intervals, wins and p-values; `more`: ``against``, ``measured``."""
    rows = []
    for each in comparisons:
        digits = 3 if each.metric == "dice" else 2
        told = {"against": each.second, "measured": _measured(each)}
        rows.append(
            {
                "strategy": each.first,
                **{name: told[name] for name in more},
                "difference": number(each.difference, digits),
                "95 % interval": f"{number(each.low, digits)} to {number(each.high, digits)}",
                "wins–losses": f"{each.wins}–{each.losses}",
                "seeds": str(each.seeds),
                "p, seeds": p_value(each.p_seeds),
                "Holm, seeds": p_value(each.holm_seeds),
                "p, cases": p_value(each.p_cases),
                "Holm, cases": p_value(each.holm_cases),
            }
        )
    table = pd.DataFrame(rows)
    if all(each.family == 1 for each in comparisons):  # nothing was corrected
        table = table.drop(columns=["Holm, seeds", "Holm, cases"])
    return table


def _measured(comparison: Comparison) -> str:
    if comparison.at == "area":
        return "area under the mean Dice"
    short = {"dice": "Dice", "hd": "HD (mm)", "hd95": "HD95 (mm)"}
    return f"{short[comparison.metric]}, round {comparison.at}"


TESTS_NOTE = (
    "Difference of the means at the seeds that both strategies have; its interval draws seeds and "
    "test cases anew. Wins and losses count seeds. "
    "Wilcoxon signed-rank tests over seeds (each averaged over test cases) and over test cases "
    "(each averaged over seeds first), corrected by Holm's method for the strategies that are "
    f"compared at once; none with fewer than {NEEDED_SEEDS} seeds or {NEEDED_CASES} test cases. "
    "Above 0 is better for Dice, below 0 for distances."
)


def wins_table(numbers: Numbers) -> Table:
    """Tell how much more often each strategy wins than it loses, pair by pair."""
    marks = [str(place) for place in range(1, len(numbers.ranked) + 1)]
    rows = []
    for mark, (label, row) in zip(marks, numbers.wins.iterrows(), strict=True):
        cells = {
            other: "·" if other == mark else "–" if np.isnan(value) else _signed(value)
            for other, value in zip(marks, row, strict=True)
        }
        rows.append({"": mark, "strategy": label, **cells})
    return Table(
        "wins",
        "Win matrix: area under the mean Dice, seed by seed",
        numbers.wins.rename_axis("strategy").reset_index(),
        pd.DataFrame(rows),
        note="Seeds at which the strategy of the row is above that of the column, minus those at "
        "which it is below, as a share of the seeds that both have: 1 always wins, −1 always "
        "loses. A dash: no seed in common.",
    )


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{value:+.2f}".replace("-", "−")


def annotated_table(numbers: Numbers) -> Table:
    """Tell what was annotated, and how much of it was foreground."""
    frame = numbers.annotated
    at_last = frame[frame["round"] == numbers.last].set_index("label").loc[list(numbers.ranked)]
    first = frame[frame["round"] == 0].set_index("label").loc[list(numbers.ranked)]
    text = pd.DataFrame(
        {
            "strategy": at_last.index,
            **{
                brief_cost(cost): [number(each, 0) for each in at_last[cost]]
                for cost in numbers.results.costs
            },
            "cases of the pool": [_share(each, 0) for each in at_last["of_pool"]],
            "of all cases": [_share(each, 0) for each in at_last["of_all"]],
            "foreground, initial set": [_share(each) for each in first["foreground"]],
            "foreground, suggested": [_share(each) for each in at_last["foreground_suggested"]],
            "foreground, all": [_share(each) for each in at_last["foreground"]],
        }
    )
    return Table(
        "annotated",
        f"What was annotated up to round {numbers.last}",
        frame,
        text,
        note="Means over runs. Slices shown count each suggested slice with its two neighbors. "
        "Cases of the pool, of all cases: share of those that could be labeled, and of all that "
        "the cohort has, with an annotated slice. "
        "Foreground: share of the annotated pixels whose reference is not background.",
    )


def _share(value: float, digits: int = 2) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.{digits}f} %"


def seconds_table(numbers: Numbers) -> Table:
    """Tell the wall time of a round."""
    frame = numbers.seconds.set_index("label").loc[list(numbers.ranked)].reset_index()
    text = pd.DataFrame(
        {
            "strategy": frame["label"],
            "training (s)": _spreads(frame, "training", 1),
            "suggesting (s)": _spreads(frame, "suggesting", 2),
            "rounds": [str(n) for n in frame["n"]],
        }
    )
    return Table(
        "seconds",
        "Wall time of a round",
        frame,
        text,
        note="Mean ± sd over the rounds of all runs. Round 0 is left out, because strategies share "
        "its network; a later network that two strategies share is trained once and loaded by the "
        "other. Training the VAE is not in it.",
    )


def _spreads(frame: pd.DataFrame, name: str, digits: int) -> list[str]:
    pairs = zip(frame[name], frame[f"{name}_sd"], strict=True)
    return [plus_minus(mean, sd, digits) for mean, sd in pairs]


def _penalties(numbers: Numbers) -> pd.DataFrame:
    """Penalties of the last round by strategy and region; empty where there is none."""
    at_last = numbers.penalties[numbers.penalties["round"] == numbers.last]
    return at_last if at_last["penalties"].any() else at_last.iloc[:0]


def penalties_table(numbers: Numbers) -> Table | None:
    """Tell how many Hausdorff distances are penalties; None where none is."""
    at_last = _penalties(numbers)
    if at_last.empty:
        return None
    rows = []
    for label in numbers.ranked:
        own = at_last[at_last["label"] == label].set_index("region")
        cells = {r: f"{own.loc[r, 'penalties']} of {own.loc[r, 'of']}" for r in own.index}
        rows.append({"strategy": label, **cells})
    return Table(
        "penalties",
        f"Hausdorff distances of round {numbers.last} that are penalties",
        numbers.penalties,
        pd.DataFrame(rows),
        note="Where exactly one of prediction and reference is empty, there is no distance: the "
        "diagonal of the volume stands for it. Where both are empty, it is 0.",
    )
