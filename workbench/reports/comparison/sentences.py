"""What a comparison found, in sentences: what was compared, who beats whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workbench.experiments.comparison import Comparison, sentence
from workbench.experiments.results import Results
from workbench.reports.comparison.numbers import REFERENCE, TARGET, Numbers
from workbench.reports.comparison.parts import Text
from workbench.reports.comparison.tables import number, seeds_told
from workbench.words import count

__all__ = ["cohort", "findings", "overview"]


def cohort(results: Results) -> str:
    """Name the cohort that the runs were made on."""
    first = next(iter(results.members.values()))[0]
    return Path(first.config.source).name


def overview(numbers: Numbers) -> str:
    """Say what was compared, in a sentence of Markdown."""
    results = numbers.results
    cases = results.scores["case"].nunique()
    first, last = numbers.annotated_at(0), numbers.annotated_at(numbers.last)
    full = results.runs["run"].nunique() - results.rounds["run"].nunique()
    runs = count(results.rounds["run"].nunique(), "run")
    pools = sorted({run.pool_sentence for members in results.members.values() for run in members})
    if full:
        runs += f" and {count(full, 'full-data run')}"
    return (
        f"{count(len(numbers.ranked), 'strategy', 'strategies')} in {runs}, from "
        f"{number(first, 0)} to "
        f"{number(last, 0)} annotated {numbers.counted[0]} over "
        f"{count(numbers.last, 'round')} of suggestions, "
        f"scored on {count(cases, 'test case')} of {Text.plain(cohort(results))}. "
        f"{' '.join(pools)}"
    )


def findings(numbers: Numbers) -> list[str]:
    """Say who beats the reference, which two are best, and what comes near to all data."""
    found = [each for each in numbers.against if each.at == "area"]
    if not found:
        return [
            f"No run of {REFERENCE} is among these, so it cannot be said whether a strategy beats "
            f"it. Add one.",
            *_ends(numbers),
            *_stopped(numbers),
        ]
    tested = [each for each in found if np.isfinite(each.holm_seeds)]
    open_ones = [each for each in found if each not in tested]
    said = [sentence(each) for each in tested]
    if len(open_ones) < 3:
        said += [sentence(each) for each in open_ones]
    else:
        said.append(_open(numbers, open_ones))
    if any(_at_shared_seeds(numbers, each) for each in [*found, *numbers.best]):
        said.append(
            "Not every strategy has the same seeds. A difference is taken at the seeds that both "
            "have, so it may differ from that of the means in the tables, which take all seeds."
        )
    if any(each.seeds == 1 for each in [*found, *numbers.best]):
        said.append("Of one seed, an interval tells about these networks alone.")
    if numbers.peeking:
        names = ", ".join(numbers.peeking)
        said.append(f"To be read as a bound, because it sees references nobody drew: {names}.")
    return [*said, *_ends(numbers), *_stopped(numbers)]


def _stopped(numbers: Numbers) -> list[str]:
    """Say which runs ended before their last round, and why."""
    said = []
    for label, runs in numbers.results.members.items():
        stopped = [run for run in runs if run.stopped]
        if stopped:
            rounds = sorted({len(run.rounds) - 1 for run in stopped})
            said.append(
                f"{count(len(stopped), 'run')} of {label} of {len(runs)} stopped after round "
                f"{', '.join(map(str, rounds))} because it was enough. {stopped[0].stopped}"
            )
    return said


def _open(numbers: Numbers, found: Sequence[Comparison]) -> str:
    """Tell in one sentence the differences that cannot be tested."""
    seeds = [_at_shared_seeds(numbers, each) for each in found]
    at_all, at_each = (seeds[0], [""] * len(seeds)) if len(set(seeds)) == 1 else ("", seeds)
    told = "; ".join(
        f"{each.first} {_signed(each.difference)} ({_signed(each.low)} to {_signed(each.high)}{at})"
        for each, at in zip(found, at_each, strict=True)
    )
    return (
        f"Whether these beat {REFERENCE} cannot be said from so few seeds or test cases; "
        f"difference of the area under the mean Dice{at_all}, with its 95 % interval: {told}."
    )


def _ends(numbers: Numbers) -> list[str]:
    """The two best, and what it takes to come near to training on everything."""
    said = []
    best = next((each for each in numbers.best if each.at == "area"), None)
    if best is not None and REFERENCE not in (best.first, best.second):
        shared = _at_shared_seeds(numbers, best)
        said.append(f"The two best{shared}: {best.first} and {best.second}. {sentence(best)}")
    if not numbers.needed.empty:
        said.append(_reaching(numbers))
    return said


def _at_shared_seeds(numbers: Numbers, compared: Comparison) -> str:
    """Name the seeds that two strategies share, where one of them has more; else nothing."""
    members = numbers.results.members
    one, other = (
        {run.config.seed for run in members[label]} for label in (compared.first, compared.second)
    )
    if one == other or not one & other:
        return ""
    shared = sorted(one & other)
    return f", at {'seed' if len(shared) == 1 else 'seeds'} {seeds_told(shared)}"


def _signed(value: float) -> str:
    return f"{round(value, 3) or 0.0:+.3f}".replace("-", "−")  # no minus before a zero


def _reaching(numbers: Numbers) -> str:
    """Say which strategies reach 99 % of training on everything, and with how much annotated."""
    noun, cost = numbers.counted
    table = numbers.needed[numbers.needed["cost"] == cost].set_index("label")["budget"]
    reached = [
        f"{label} with {number(table[label], 0)} {noun}"
        for label in table.sort_values(kind="stable").index
        if table[label] < float("inf")
    ]
    best = numbers.above_ceiling
    if best is not None:
        full = numbers.needed["target"].iloc[0] / TARGET
        return (
            f"Training on everything reaches a Dice of {number(full)}, less than {best} in round "
            f"{numbers.last} ({number(numbers.reached(best))}): it is no ceiling here, perhaps "
            f"because it was trained for too few steps."
        )
    goal = f"{100 * TARGET:.0f} % of the Dice of training on everything"
    if not reached:
        return f"No strategy reaches {goal}."
    return f"{goal} is reached by {', '.join(reached)}."
