"""A table says the same on the page, as CSV and as LaTeX."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.reports.comparison.tables import Table, number, p_value, plus_minus


def table():
    numbers = pd.DataFrame({"strategy": ["a_b", "<c>"], "dice": [0.123456, 0.5]})
    text = pd.DataFrame({"strategy": ["a_b", "<c>"], "Dice": ["0.123 ± 0.010", "–"]})
    return Table("scores", "Dice at 50 %", numbers, text, note="mean ± sd")


def test_html_escapes_text_and_sets_numbers_at_the_right():
    page = table()._repr_html_()
    assert '<td class="number">0.123 ± 0.010</td>' in page
    assert "&lt;c&gt;" in page
    assert "<c>" not in page


def test_a_wide_table_puts_intervals_below_their_means():
    cell = "0.812 ± 0.004 [0.808, 0.815]"
    few, many = (
        Table("t", "", pd.DataFrame(), pd.DataFrame([{str(i): cell for i in range(n)}]))
        for n in (2, 6)
    )
    assert cell in few._repr_html_()
    assert "0.812 ± 0.004<br>[0.808, 0.815]" in many._repr_html_()
    assert cell in many.text.iloc[0].tolist()


def test_a_wide_table_puts_parameters_below_the_name_of_a_strategy():
    row = {"strategy": "gradient-guided (max_angle=60)", "measured": "HD (mm), round 2"}
    text = pd.DataFrame([row | {str(place): "0.812 ± 0.004" for place in range(6)}])
    page = Table("t", "", text, text)._repr_html_()
    assert "gradient-guided<br>(max_angle=60)" in page
    assert "HD (mm), round 2" in page


def test_csv_holds_every_digit_and_latex_is_escaped(tmp_path):
    table().write(tmp_path)
    assert pd.read_csv(tmp_path / "scores.csv")["dice"].tolist() == [0.123456, 0.5]
    latex = (tmp_path / "scores.tex").read_text()
    assert r"a\_b & 0.123 $\pm$ 0.010 \\" in latex
    assert r"\caption{Dice at 50 \% mean $\pm$ sd}" in latex
    assert r"\begin{tabular}{lr}" in latex


@pytest.mark.parametrize(
    ("p", "said"), [(0.0004, "< 0.001"), (0.0341, "0.034"), (0.374, "0.37"), (np.nan, "–")]
)
def test_p_values_are_written_as_papers_do(p, said):
    assert p_value(p) == said


def test_numbers_keep_the_digits_they_deserve():
    assert number(-0.0123) == "−0.012"
    assert number(12_345.6, 0) == "12,346"
    assert number(np.nan) == "–"
    assert plus_minus(0.81234, 0.0049) == "0.812 ± 0.005"
    assert plus_minus(0.81234, np.nan) == "0.812"
