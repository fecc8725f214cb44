from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.experiments.tiny import tiny_config
from tests.notebooks.runs import NOTEBOOKS, SMALL, Run, small_run
from workbench.jobs import finish
from workbench.reports.comparison import make_report, scores
from workbench.reports.render import run_notebook

NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


def cells_of(name: str) -> list[Any]:
    return list(nbformat.read(NOTEBOOKS / name, as_version=4).cells)


def code_of(name: str) -> list[Any]:
    return [cell for cell in cells_of(name) if cell.cell_type == "code"]


def test_every_notebook_is_run_by_these_tests() -> None:
    assert sorted(SMALL) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_begins_with_a_short_title_and_how_to_run_it(name: str) -> None:
    first = cells_of(name)[0]
    assert first.cell_type == "markdown"
    title, lead, *_ = first.source.split("\n\n")
    assert re.fullmatch(r"# [^\n:*]{1,50}", title)
    assert "Run All Cells*" in lead


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_at_most_fifteen_code_cells_and_defines_no_function(name: str) -> None:
    cells = code_of(name)
    assert 1 <= len(cells) <= 15
    for cell in cells:
        kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
        assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_one_cell_of_parameters(name: str) -> None:
    tagged = [c for c in code_of(name) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert tagged[0] is not None
    given = {
        target.id
        for node in ast.parse(tagged[0].source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert set(SMALL[name]) <= given


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_without_outputs_and_small(name: str) -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in code_of(name))
    assert (NOTEBOOKS / name).stat().st_size < 60_000


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom_and_shows_figures(name: str) -> None:
    assert len(small_run(name).figures) >= 8


def test_the_workbench_notebook_ends_with_the_whole_application_as_stills() -> None:
    last = [cell for cell in small_run("01_workbench.ipynb").notebook.cells if cell.source][-1]
    assert last.source == "app.still()"
    figures = [each for each in last.outputs if "application/vnd.plotly.v1+json" in each.data]
    assert len(figures) >= 6


def test_the_workbench_notebook_turns_the_loop_once() -> None:
    run = small_run("01_workbench.ipynb")
    assert "After the first round: whole tumor Dice" in run.said
    assert "Round 1: 12 labeled slices" in run.said


@pytest.mark.parametrize("name", ["01_workbench.ipynb", "02_gradient_guided.ipynb"])
def test_a_notebook_shows_that_float32_blurs_the_papers_step(name: str) -> None:
    found = [
        trace
        for figure in small_run(name).figures
        for trace in figure["data"]
        if trace.get("meta") == "float64"
    ]
    assert found
    assert all("median 1.00" in trace["name"] for trace in found)


def test_the_teaching_notebook_has_a_slider_for_each_equation() -> None:
    figures = small_run("02_gradient_guided.ipynb").figures
    assert sum("sliders" in figure["layout"] for figure in figures) == 7


def test_the_teaching_notebook_cites_each_equation_and_draws_its_formula() -> None:
    text = "".join(cell.source for cell in cells_of("02_gradient_guided.ipynb"))
    for number in range(1, 7):
        assert f"\\qquad ({number})" in text
        assert f"(Dai 2022, eq. {number}" in text


@pytest.mark.slow
def test_the_workbench_notebook_goes_on_with_the_run_it_finds(tmp_path: Path) -> None:
    parameters = {**SMALL["01_workbench.ipynb"], "folder": str(tmp_path / "run")}
    first, second = (
        Run(run_notebook(NOTEBOOKS / "01_workbench.ipynb", parameters), parameters).said
        for _ in range(2)
    )
    sentence = next(line for line in first.splitlines() if line.startswith("After the first round"))
    assert sentence in second
    assert "Round 1: 12 labeled slices" in first
    assert "Round 2: 16 labeled slices" in second


def test_the_comparison_notebook_shows_every_section_of_the_report_and_writes_it() -> None:
    run = small_run("03_compare_strategies.ipynb")
    report = finish(make_report(run.parameters["runs"], pictures=[]))
    headings = [
        cell.source.splitlines()[0][3:]
        for cell in run.notebook.cells
        if cell.cell_type == "markdown" and cell.source.startswith("## ")
    ]
    assert headings[:-1] == [section.title for section in report.sections()]
    shown = [
        output.data["text/html"]
        for cell in run.notebook.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert scores.reached_table(report.numbers, "dice")._repr_html_() in shown
    page = Path(run.parameters["page"])
    assert "<h1>Query strategies compared on phantom</h1>" in page.read_text()
    assert (page.parent / "report-tables" / "scores-dice.csv").is_file()


def test_the_annotating_notebook_corrects_three_suggestions_and_trains_on_them() -> None:
    run = small_run("04_annotate.ipynb")
    assert run.said.count(": done, ") == 3
    assert re.search(r"[1-9]\d* strokes, [\d,]+ mm drawn instead of [\d,]+ mm", run.said)
    assert "Round 1: 11 labeled slices" in run.said
    assert re.search(r"nobody labeled: round 0 [\d.]+%, round 1 [\d.]+%", run.said)
    through = [each for each in run.figures if "sliders" in each["layout"]]
    assert len(through) == 1
    assert len(through[0]["layout"]["sliders"][0]["steps"]) > 1


def test_the_notebook_on_volumes_leads_through_one_and_tells_both_denominators() -> None:
    run = small_run("05_volumes.ipynb")
    through = [each for each in run.figures if "sliders" in each["layout"]]
    assert len(through) == 1
    assert len(through[0]["layout"]["sliders"][0]["steps"]) > 10
    ticks = [each["layout"].get("xaxis", {}).get("ticktext") for each in run.figures]
    assert ["2<br>50% of pool<br>33% of all", "3<br>75% of pool<br>50% of all"] in ticks
    assert "mean: rank correlation" in run.said or "suggestions are the same" in run.said
    assert "Round 1: 3 labeled volumes" in run.said


@pytest.mark.slow
def test_the_comparison_notebook_makes_runs_where_none_are_named(tmp_path: Path) -> None:
    small = tiny_config()
    parameters = {
        "page": str(tmp_path / "page.html"),
        "folder": str(tmp_path / "runs"),
        "strategies": ["random", "margin"],
        "seeds": 1,
        "settings": {
            name: getattr(small, name)
            for name in ("cases", "initial", "budget", "rounds", "manifold", "segmentation")
        },
    }
    ran = Run(run_notebook(NOTEBOOKS / "03_compare_strategies.ipynb", parameters), parameters)
    assert "margin, seed 0: mean Dice" in ran.said
    assert sorted(each.name for each in (tmp_path / "runs").iterdir()) == ["margin-0", "random-0"]
