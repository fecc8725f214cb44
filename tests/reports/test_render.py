from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from workbench.errors import ReportError
from workbench.reports.page import write_page
from workbench.reports.render import main, render

code, markdown = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
FIGURE = "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 2, n]))"


def write_notebook(path: Path, *cells: Any) -> Path:
    parameters = code("n = 3")
    parameters.metadata["tags"] = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=[parameters, *cells])
    nbformat.write(notebook, path)
    return path


def page_of(*cells: Any) -> str:
    return write_page(nbformat.v4.new_notebook(cells=list(cells)), name="x.ipynb", parameters={})


def test_a_report_holds_its_figures_and_fetches_nothing(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "a.ipynb",
        markdown("# A title\n\nStep $\\alpha$:\n\n$$x' = x + \\alpha g$$"),
        code(f"print('n is', n)\n{FIGURE}"),
    )
    page = render(notebook, tmp_path / "out" / "a.html", {"n": 7}).read_text()
    assert page.count('class="figure"') == 1
    assert "<title>A title</title>" in page
    assert "n is 7" in page
    assert page.count("<math") == 2
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?!data:)[^\"]+", page)


def test_plotly_is_inlined_once_however_many_figures_there_are() -> None:
    output = nbformat.v4.new_output(
        "display_data", {"application/vnd.plotly.v1+json": {"data": [{"y": [1, 2]}], "layout": {}}}
    )
    one, three = (page_of(code("figure", outputs=[output] * k)) for k in (1, 3))
    assert 4_000_000 < len(one) < 6_000_000
    assert len(three) - len(one) < 10_000


def test_a_page_without_figures_needs_no_plotly() -> None:
    assert len(page_of(markdown("# Only words"))) < 20_000


def test_a_live_widget_leaves_a_note_in_a_report() -> None:
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "App()"}
    page = page_of(code("app", outputs=[nbformat.v4.new_output("display_data", widget)]))
    assert "Live in JupyterLab" in page
    assert "App()" not in page


def test_a_dollar_in_code_is_no_formula() -> None:
    page = page_of(markdown("Run `$HOME/x` and pay $5, but $x_i$ is one."))
    assert "$HOME/x" in page
    assert page.count("<math") == 1


def test_text_of_a_cell_cannot_become_markup() -> None:
    said = nbformat.v4.new_output("stream", name="stdout", text="<b>\rdone <i>")
    page = page_of(code("print()", outputs=[said]))
    assert "done &lt;i&gt;" in page
    assert "<b>" not in page


def test_a_failing_cell_is_named_with_its_sentence_and_the_old_report_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = write_notebook(
        tmp_path / "b.ipynb",
        markdown("## The first round"),
        code("dice = 0.3\nassert dice >= 0.5, 'The Dice is 0.30, but 0.50 is needed.'"),
    )
    old = tmp_path / "b.html"
    old.write_text("old")
    assert main([str(notebook), str(old)]) == 1
    said = capsys.readouterr().err
    assert (
        'Code cell 2 of b.ipynb, under "The first round", failed at `assert dice >= 0.5'
    ) in said
    assert "The Dice is 0.30, but 0.50 is needed. Open the notebook" in said
    assert "Traceback" not in said
    assert old.read_text() == "old"


def test_a_file_that_is_no_notebook_is_said_to_be_none(tmp_path: Path) -> None:
    text = tmp_path / "c.ipynb"
    text.write_text("hello")
    with pytest.raises(ReportError, match="is not a Jupyter notebook"):
        render(text, tmp_path / "c.html")
    with pytest.raises(ReportError, match="There is no notebook"):
        render(tmp_path / "none.ipynb", tmp_path / "c.html")
