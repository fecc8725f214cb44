"""Reports of runs in which an annotator drew the labels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.experiments.made_runs import better, change_round, make_full, make_run, random, row
from workbench.errors import RunError
from workbench.experiments.costs import COSTS, EFFORTS
from workbench.experiments.results import read_results
from workbench.experiments.summaries import areas, budgets_needed, learning_curves, saved_effort
from workbench.files import read_json
from workbench.reports.comparison import Report
from workbench.reports.comparison.effort import asked_cases_table, saved_effort_table
from workbench.reports.comparison.numbers import summarize
from workbench.reports.comparison.scores import annotated_table, area_table, needed_table
from workbench.reports.figures.axis_titles import COSTS as TITLES
from workbench.reports.figures.strategy_curves import strategy_curves_figure
from workbench.reports.palette import line_styles

#: Strokes up to each round: entropy asks for what is quick to correct.
STROKES = {"random": (100, 300, 700), "entropy": (100, 150, 250)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Two strategies at two seeds; entropy's labels took fewer strokes."""
    place = tmp_path_factory.mktemp("drawn")
    for name, dice in (("random", random), ("entropy", better)):
        for seed in range(2):
            run = make_run(
                place / f"{name}-{seed}", name, dice, seed=seed, unit="cases", annotator={}
            )
            for index in range(3):
                path = run / "rounds" / f"{index:03d}" / "round.json"
                annotated = read_json(path)["annotated"]
                annotated |= {each: float(10 * (index + 1)) for each in EFFORTS}
                annotated["strokes"] = STROKES[name][index]
                shared = [0, 0] if index == 0 else [30 + 10 * seed, 0]
                effort = {"classes": ["CSF", "GM"], "shared": shared, "reference": [100, 0]}
                effort |= {"shared_mm": [5.0, 0.0], "reference_mm": [20.0, 0.0]}
                if name == "entropy":
                    effort["spearman"] = 0.5 + 0.2 * seed
                change_round(run, index, annotated=annotated, effort=effort)
    return read_results([place])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A run without an annotator."""
    return read_results([make_run(tmp_path_factory.mktemp("plain") / "run")])


def test_effort_is_an_axis_where_every_run_has_it(drawn, found):
    assert drawn.costs == (*COSTS, *EFFORTS)
    assert found.costs == COSTS
    assert not set(EFFORTS) & set(found.scores)
    line = row(learning_curves(drawn), label="random", round=2, metric="dice", region="mean")
    assert line["strokes"] == 700


def test_runs_without_effort_are_not_mixed_with_runs_that_have_it(drawn, tmp_path):
    with pytest.raises(RunError, match="annotator is not the same"):
        read_results([make_run(tmp_path / "a"), make_run(tmp_path / "b", annotator={})])


def a_persons_run(folder, given=(10, 10, 10), **settings):
    """A session's run: the first round labeled from the reference, later ones drawn."""
    run = make_run(folder, **settings)
    for index in (1, 2):
        annotated = read_json(run / "rounds" / f"{index:03d}" / "round.json")["annotated"]
        annotated |= dict.fromkeys(EFFORTS, 7.0 * index) | {"from_reference": given[index]}
        change_round(run, index, annotated=annotated)
    return run


def test_what_came_from_the_reference_cost_a_person_nothing(tmp_path):
    found = read_results([a_persons_run(tmp_path / "own"), make_full(tmp_path / "full", 0.6)])
    assert found.costs == (*COSTS, *EFFORTS)
    assert found.rounds["strokes"].tolist() == [0, 7, 14]
    assert found.from_reference == 10
    assert "10 slices of a run came from the reference" in found.notes[-1]
    assert np.isnan(budgets_needed(found, cost="strokes")["of_all"][0]), "nobody drew everything"
    numbers = summarize(found)
    report = Report(numbers, line_styles(numbers.ranked))
    figure = next(part for part in report.curves().parts if hasattr(part, "layout"))
    assert "–" in needed_table(numbers).text["strokes"][0]
    titles = [b.args[1]["xaxis.title.text"] for b in figure.layout.updatemenus[0].buttons]
    assert "strokes; labels from the reference count 0" in titles
    assert TITLES["slices"] in titles


def test_later_rounds_from_the_reference_add_no_cost(tmp_path):
    run = a_persons_run(tmp_path / "own")
    annotated = read_json(run / "rounds" / "002" / "round.json")["annotated"]
    plain = {key: value for key, value in annotated.items() if key not in EFFORTS}
    change_round(run, 2, annotated={key: plain[key] for key in plain if key != "from_reference"})
    assert read_results([run]).rounds["strokes"].tolist() == [0, 7, 7]


def test_runs_of_which_not_as_much_was_drawn_are_not_compared_by_what_it_cost(tmp_path):
    a_persons_run(tmp_path / "drawn", strategy="entropy")
    a_persons_run(tmp_path / "partly", given=(10, 10, 15))
    found = read_results([tmp_path])
    assert found.costs == COSTS
    assert found.notes[-1] == (
        "What labels cost a person is no axis here, because not as much of each came from the "
        "reference: 10 in drawn, 15 in partly."
    )


def test_a_run_that_nobody_drew_is_not_compared_by_what_it_cost(tmp_path):
    a_persons_run(tmp_path / "drawn", strategy="entropy")
    make_run(tmp_path / "replayed")
    found = read_results([tmp_path])
    assert found.costs == COSTS
    assert "it was not recorded in replayed" in found.notes[-1]


def test_areas_are_against_what_labels_cost_a_person(drawn):
    against = areas(drawn, cost="strokes")
    chosen = against[(against["metric"] == "dice") & (against["region"] == "mean")]
    assert set(chosen["label"]) == {"random", "entropy"}
    assert budgets_needed(drawn, cost="strokes").empty, "there is no full-data reference"


def test_figures_and_tables_offer_these_axes(drawn):
    numbers = summarize(drawn)
    figure = strategy_curves_figure(numbers.curves, line_styles(numbers.ranked))
    titles = [b.args[1]["xaxis.title.text"] for b in figure.layout.updatemenus[0].buttons]
    assert titles == [TITLES[cost] for cost in (*COSTS, *EFFORTS)]
    assert "against strokes" in area_table(numbers).text.columns
    told = annotated_table(numbers).text.set_index("strategy")
    assert (told.loc["random", "strokes"], told.loc["entropy", "strokes"]) == ("700", "250")


def test_the_saved_effort_is_told_by_iteration_and_class(drawn):
    found = saved_effort(drawn)
    line = row(found, label="random", round=1, **{"class": "CSF"})
    assert line["saved"] == pytest.approx(0.35)
    assert line["n"] == 2
    assert line["saved_mm"] == 0.25
    assert line["contour_pixels"] == 100
    assert found["round"].min() == 1, "the first set began from nothing"
    assert "GM" not in set(found["class"]), "no contour, no value"
    table = saved_effort_table(drawn)
    assert table.text.set_index("strategy").loc["random", "iteration 2"] == "35.0"
    assert "0.60" in table.note


def test_the_cases_of_each_run_are_told_in_order(tmp_path):
    for name in ("random", "entropy"):
        make_run(tmp_path / name, name, unit="cases")
    text = asked_cases_table(read_results([tmp_path])).text.set_index("strategy")
    assert text.loc["random", "at first"] == "seed0"
    assert text.loc["entropy", "round 1"] == "entropy0"


def test_without_an_annotator_there_is_no_such_table(found):
    assert saved_effort_table(found) is None
    assert asked_cases_table(found) is None
    assert saved_effort(found).empty
