"""A table three times: to read on a page, as CSV with every digit, as LaTeX.

The numbers are kept as they were computed; how they are read (0.812 ± 0.004) is
a second frame of text beside them. The page and the LaTeX file show the text,
the CSV file holds the numbers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.files import replace_file

__all__ = ["Table", "number", "p_value", "plus_minus", "seeds_told"]


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a report.

    Parameters
    ----------
    name : str
        Name of its files, without ending.
    caption : str
        What it shows, in a sentence.
    numbers : DataFrame
        Every value with every digit, a column for each quantity.
    text : DataFrame
        The same as it is read; its columns are the headings.
    note : str
        How to read it: what ± means, what is counted.
    folded : bool
        Whether a page shows it on demand only, because it is long.
    """

    name: str
    caption: str
    numbers: pd.DataFrame
    text: pd.DataFrame
    note: str = ""
    folded: bool = False

    def _repr_html_(self) -> str:
        """Show the table at the end of a notebook's cell and on a page."""
        kinds = [_kind(self.text[column]) for column in self.text.columns]
        width = sum(max(map(len, map(str, [each, *self.text[each]]))) for each in self.text)
        wide = width > WIDE
        head = "".join(
            f"<th{kind}>{html.escape(str(column))}</th>"
            for column, kind in zip(self.text.columns, kinds, strict=True)
        )
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td{kind}>{_cell(str(cell), wide)}</td>"
                for cell, kind in zip(row, kinds, strict=True)
            )
            + "</tr>"
            for row in self.text.itertuples(index=False)
        )
        note = f'<p class="note">{html.escape(self.note)}</p>' if self.note else ""
        table = (
            f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>{note}"
        )
        caption = html.escape(self.caption)
        if self.folded:
            return f'<details class="table"><summary>{caption}</summary>{table}</details>'
        return f'<p class="caption">{caption}</p>{table}'

    def latex(self) -> str:
        """Return the table for a paper; it needs the package booktabs."""
        columns = "".join("r" if "number" in _kind(self.text[each]) else "l" for each in self.text)
        lines = [
            " & ".join(_latex(str(cell)) for cell in row) + r" \\"
            for row in self.text.itertuples(index=False)
        ]
        head = " & ".join(_latex(str(column)) for column in self.text.columns) + r" \\"
        told = f"{self.caption} {self.note}".strip()
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{_latex(told)}}}",
                rf"\label{{tab:{self.name}}}",
                rf"\begin{{tabular}}{{{columns}}}",
                r"\toprule",
                head,
                r"\midrule",
                *lines,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )

    def write(self, folder: Path) -> None:
        """Write ``NAME.csv`` with the numbers and ``NAME.tex`` with the text."""
        files = {".csv": self.numbers.to_csv(index=False), ".tex": self.latex()}
        for ending, content in files.items():
            replace_file(folder / f"{self.name}{ending}", _writer(content))


def _writer(content: str):  # type: ignore[no-untyped-def]
    return lambda path: path.write_text(content, encoding="utf-8")


def number(value: float, digits: int = 3) -> str:
    """Write a number, or a dash where there is none."""
    if pd.isna(value):
        return "–"
    rounded = round(float(value), digits) or 0.0  # no minus before a zero
    return f"{rounded:,.{digits}f}".replace("-", "−")


def plus_minus(mean: float, sd: float, digits: int = 3) -> str:
    """Write mean ± sd; without ± where there is no sd."""
    if pd.isna(mean) or pd.isna(sd):
        return number(mean, digits)
    return f"{number(mean, digits)} ± {number(sd, digits)}"


def p_value(p: float) -> str:
    """Write a p-value as papers do: ``0.034``, ``< 0.001``, a dash where there is none."""
    if pd.isna(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def seeds_told(seeds: Sequence[int]) -> str:
    """Write ``0 to 9`` where seeds (in ascending order) follow each other, else every one."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


#: Letters of a cell beyond which it is broken into lines.
LONG = 60
#: Letters of a row beyond which it has no room on a page.
WIDE = 112

_NUMBER = re.compile(r"^[<+−–·\d][\d,.\s±×/%()\[\]−–<toofns]*$|^not reached$")
#: Where an interval or the parameters of a strategy begin, at the end of a cell.
_BREAK = re.compile(r" (?=\[[^\[]*\]$|\([^(]*\)$)")


def _cell(text: str, wide: bool) -> str:
    """Escape a cell; in a wide table intervals and parameters go below what they belong to."""
    told = html.escape(text)
    if wide and len(text) <= LONG:
        told = _BREAK.sub("<br>", told)
    return told


def _kind(column: pd.Series) -> str:
    """Numbers stand at the right of their column, long text is broken into lines."""
    cells = [str(cell) for cell in column]
    if all(_NUMBER.match(cell) for cell in cells):
        return ' class="number"'
    return ' class="long"' if any(len(cell) > LONG for cell in cells) else ""


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "α": r"$\alpha$",
    "θ": r"$\theta$",
    "°": r"$^\circ$",
    "′": "$'$",
    "…": r"\ldots{}",
    "→": r"$\rightarrow$",
    "·": r"$\cdot$",
    "’": "'",
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
