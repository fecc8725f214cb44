"""The sections of a comparison, in reading order: findings first, settings last.

The command writes them all on one page; the notebook shows them one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.errors import SettingError
from workbench.experiments.results import read_results
from workbench.jobs import Work
from workbench.reports.comparison import scores, settings
from workbench.reports.comparison.effort import effort_tables
from workbench.reports.comparison.numbers import REFERENCE, TARGET, Numbers, summarize
from workbench.reports.comparison.parts import Part, Section, Text
from workbench.reports.comparison.picks import picks_table, read_picks
from workbench.reports.comparison.replay import Replayed, replay
from workbench.reports.comparison.sentences import cohort, findings, overview
from workbench.reports.comparison.writing import write_comparison
from workbench.reports.figures.axis_titles import UNITS
from workbench.reports.figures.strategy_curves import strategy_curves_figure
from workbench.reports.figures.strategy_panels import each_strategy_figure
from workbench.reports.figures.strategy_training import loss_by_round_figure, seconds_figure
from workbench.reports.figures.structures import FEW, structures_figure
from workbench.reports.palette import LineStyle, line_styles
from workbench.words import count

__all__ = ["Report", "make_report"]

#: Strategies beyond which curves get panels of their own: seven are told apart in one plot.
SEVEN = 7


@dataclass(frozen=True, eq=False)
class Report:
    """A comparison, ready to be shown.

    Parameters
    ----------
    numbers : Numbers
        Everything that was computed.
    styles : mapping of str to LineStyle
        How each strategy looks, on every figure.
    pictures : tuple of Replayed
        Maps and chains of some runs.
    picks : DataFrame or None
        Where the suggestions of every run lay (see `workbench.reports.comparison.picks`).
    """

    numbers: Numbers
    styles: Mapping[str, LineStyle]
    pictures: tuple[Replayed, ...] = ()
    picks: pd.DataFrame | None = None

    @property
    def title(self) -> str:
        """Heading of the page."""
        return f"Query strategies compared on {cohort(self.numbers.results)}"

    def sections(self) -> tuple[Section, ...]:
        """Every section, in reading order."""
        return (
            self.findings(),
            self.curves(),
            self.scores(),
            self.tests(),
            self.structures(),
            self.annotated(),
            self.training(),
            self.time(),
            self.maps(),
            self.settings(),
        )

    def write(self, page: Path | str) -> Path:
        """Write everything as one page that works offline, and the tables beside it.

        Returns
        -------
        Path
            The folder of the tables.
        """
        runs = count(len(self.numbers.results.runs), "run")
        return write_comparison(
            self.sections(), Path(page), title=self.title, source=f"the folders of {runs}"
        )

    def findings(self) -> Section:
        """Say what was compared, what was found, and what was left out."""
        numbers = self.numbers
        results = numbers.results
        parts: list[Part] = [
            Text(overview(numbers)),
            _list(findings(numbers)),
            scores.strategies_table(results),
        ]
        if results.notes:
            parts += [Text("To be known:"), _list(results.notes)]
        if results.left_out:
            told = [f"{each.folder.name}: {each.why}" for each in results.left_out]
            parts += [Text(f"Left out: {count(len(told), 'folder')}."), _list(told)]
        else:
            parts.append(Text("Every run that was found is finished and is in the tables."))
        return Section("findings", "What was found", tuple(parts))

    def curves(self) -> Section:
        """Learning curves with bands; with many strategies, a panel for each too."""
        numbers = self.numbers
        told = (
            "Lines are means over runs, bands ± 1 sd over runs (n in the legend); the test cases "
            "of a run are averaged first. The buttons choose the cost, the menu metric and region. "
            "The vertical axis does not begin at 0. A click in the legend hides a curve, a double "
            "click shows it alone."
        )
        if numbers.ceiling.empty:
            told += " No full-data run was given, so there is no line for training on everything."
        else:
            told += " The dotted line is training on everything."
        figures: list[Part] = [
            strategy_curves_figure(
                numbers.curves,
                self.styles,
                ceiling=numbers.ceiling,
                from_reference=numbers.results.from_reference > 0,
            )
        ]
        if len(numbers.ranked) > SEVEN:
            told += (
                f" Seven of {len(numbers.ranked)} strategies have a color: the six largest areas "
                f"under the curve and {REFERENCE}; below, each has a panel of its own."
            )
        if len(numbers.ranked) > 3:
            figures.append(
                each_strategy_figure(
                    numbers.curves,
                    self.styles,
                    reference=REFERENCE,
                    title="Each strategy by itself, mean Dice of the regions",
                )
            )
        return Section("curves", "Learning curves", (Text(told), *figures))

    def scores(self) -> Section:
        """Scores of the last round, of every round, areas and budgets."""
        numbers = self.numbers
        parts: list[Part] = [scores.reached_table(numbers, metric) for metric in numbers.metrics]
        penalties = scores.penalties_table(numbers)
        if penalties is not None:
            parts.append(penalties)
        parts += [scores.rounds_table(numbers), scores.area_table(numbers)]
        needed = scores.needed_table(numbers)
        parts.append(
            needed
            or Text(
                f"The budget for {100 * TARGET:.0f} % of the full-data Dice is not known, because "
                f"no full-data run was given. `workbench sweep` makes one with `full_data = true`."
            )
        )
        return Section("scores", "Scores", tuple(parts))

    def tests(self) -> Section:
        """Differences, p-values and wins."""
        tables = (*scores.tests_tables(self.numbers), scores.wins_table(self.numbers))
        return Section("tests", "Differences and tests", (Text(scores.TESTS_NOTE), *tables))

    def structures(self) -> Section:
        """Boxes over test cases, structure by structure."""
        numbers = self.numbers
        at_last = numbers.results.scores
        at_last = at_last[at_last["round"] == numbers.last]
        keys = ["label", "metric", "region", "case"]
        cases = at_last.groupby(keys, sort=False, as_index=False)["value"].mean()
        dots = "cases beyond" if cases["case"].nunique() > FEW else "the cases themselves"
        parts: list[Part] = [
            Text(
                f"Test cases in round {numbers.last}, each averaged over runs: the box spans the "
                f"quartiles, its line is the median, whiskers reach to the last case within 1.5 "
                f"times the box, and dots are {dots}."
            )
        ]
        for metric in numbers.metrics:
            if metric != "hd":  # HD95 says the same of fewer outliers
                chosen = cases[cases["metric"] == metric]
                parts.append(
                    structures_figure(chosen, self.styles, metric=metric, title=UNITS[metric])
                )
        return Section("structures", "Structures", tuple(parts))

    def annotated(self) -> Section:
        """What the budget was spent on."""
        parts: tuple[Part, ...] = (scores.annotated_table(self.numbers),)
        if self.picks is not None and len(self.picks):
            parts += (picks_table(self.picks, tuple(self.numbers.ranked)),)
        parts += effort_tables(self.numbers.results)
        return Section("annotated", "What was annotated", parts)

    def training(self) -> Section:
        """Training losses, and the curve of a loss head where there is one."""
        members = self.numbers.results.members
        parts: list[Part] = [
            Text(
                "Training loss by strategy, round by round, mean over runs, as in figure 8 of Dai "
                "et al. (2022). Each round trains on more slices than the one before."
            ),
            loss_by_round_figure(
                {
                    name: [[saved.losses for saved in run.rounds] for run in runs]
                    for name, runs in members.items()
                },
                self.styles,
            ),
        ]
        heads = {
            name: [[saved.head_losses for saved in run.rounds] for run in runs]
            for name, runs in members.items()
            if any(saved.head_losses for run in runs for saved in run.rounds)
        }
        if heads:
            parts.append(
                loss_by_round_figure(
                    heads,
                    line_styles(list(heads), REFERENCE),
                    what="ranking loss",
                    title="The head that predicts the loss (learning loss)",
                )
            )
        return Section("training", "Training loss", tuple(parts))

    def time(self) -> Section:
        """Wall time of a round."""
        return Section(
            "time",
            "Time",
            (seconds_figure(self.numbers.seconds, self.styles), scores.seconds_table(self.numbers)),
        )

    def maps(self) -> Section:
        """Chains of suggestions and the latent map of each round."""
        parts: list[Part] = []
        missing: dict[str, list[str]] = {}
        for each in self.pictures:
            parts += [figure for figure in (each.chains, each.maps) if figure is not None]
            parts += [Text(Text.plain(each.note))] if each.note else []
            if each.missing:
                missing.setdefault(each.missing, []).append(each.name)
        if parts:
            parts.insert(
                0,
                Text(
                    "Chains lead from a labeled slice to the one that was suggested from it, and "
                    "on, as in figure 5 of Dai et al. (2022). On the maps the slider chooses the "
                    "round."
                ),
            )
        for why, names in missing.items():
            parts.append(Text(Text.plain(f"No pictures of {'; '.join(names)}: {why}")))
        if not self.pictures:
            parts = [Text("No pictures were asked for.")]
        return Section("maps", "Chains and latent maps", tuple(parts))

    def settings(self) -> Section:
        """Every setting, seed and version."""
        results = self.numbers.results
        runs = [run for members in results.members.values() for run in members]
        return Section(
            "settings",
            "Settings, seeds and versions",
            (
                settings.settings_table(runs, results.references),
                settings.runs_table(results),
                settings.versions_table([*runs, *results.references]),
            ),
        )


def make_report(
    folders: Iterable[Path | str], pictures: Sequence[str] | None = None
) -> Work[Report]:
    """Read runs and compute all that a report shows.

    Parameters
    ----------
    folders : iterable of Path or str
        Folders of runs, or folders that hold some.
    pictures : sequence of str, optional
        Labels whose first run is opened again for its chains and latent maps; by default those
        of the strategies that follow gradients, and of the reference. An empty sequence opens
        none, nor what tells where suggestions lay.

    Raises
    ------
    RunError
        If the runs do not belong together, or none is finished.
    SettingError
        If a label of `pictures` is not among the runs.
    """
    results = read_results(folders)
    unknown = [name for name in pictures or () if name not in results.members]
    if unknown:
        raise SettingError(
            f"Pictures were asked of {unknown[0]!r}, which is not among these runs. There are: "
            f"{', '.join(results.labels)}."
        )
    numbers = summarize(results)
    names = _pictured(numbers) if pictures is None else pictures
    replayed = []
    for name in names:
        run = results.members[name][0]
        replayed.append((yield from replay(run, f"{name}, seed {run.config.seed}")))
    picks = None
    if names:
        picks = yield from read_picks(results)
    return Report(numbers, line_styles(numbers.ranked, REFERENCE), tuple(replayed), picks)


def _pictured(numbers: Numbers) -> list[str]:
    """Strategies whose suggestions have sources, the best two, and the reference."""
    members = numbers.results.members
    guided = [
        name
        for name in numbers.ranked
        if any("source" in saved.details for saved in members[name][0].rounds)
    ]
    return [*guided[:2], *(name for name in numbers.ranked if name == REFERENCE)]


def _list(lines: Sequence[str]) -> Text:
    return Text("\n".join(f"- {Text.plain(line)}" for line in lines))
