"""Put the tables of a report together as one: python notebooks/results/summarize.py TABLES.

TABLES is the folder of CSV files that `workbench report` writes beside its page.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def summary(tables: Path) -> str:
    """Mean Dice by round, and the area under the curve against random, as a Markdown table."""
    dice = pd.read_csv(tables / "dice-by-round.csv").query("metric == 'dice' and region == 'mean'")
    area = pd.read_csv(tables / "against-random-area.csv").set_index("first")
    rounds = sorted(dice["round"].unique())[1:]
    slices = dice.groupby("round")["slices"].max()
    head = ["strategy", "seeds", *(f"{slices[r]:.0f} slices" for r in rounds), "area − random"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    best_first = dice[dice["round"] == rounds[-1]].sort_values("mean", ascending=False)
    for label in best_first["label"]:
        means = dice[dice["label"] == label].set_index("round")
        cells = [label, f"{means['n'].max():.0f}"]
        cells += [_told(means["mean"][r], means["sd"][r]) for r in rounds]
        against = ""
        if label in area.index:
            found = area.loc[label]
            against = f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            if pd.notna(found.holm_seeds):
                against += f", p = {found.holm_seeds:.2f}"
        lines.append("| " + " | ".join([*cells, against]) + " |")
    return "\n".join(lines).replace("-0.", "−0.")


def _told(mean: float, sd: float) -> str:
    return f"{mean:.3f}" if pd.isna(sd) else f"{mean:.3f} ± {sd:.3f}"


if __name__ == "__main__":
    print(summary(Path(sys.argv[1])))
