"""A comparison made by hand: curves whose every number can be said beforehand."""

from __future__ import annotations

import numpy as np
import pandas as pd

REGIONS = ("anterior", "posterior", "mean")


def made_up_curves(names: tuple[str, ...], rounds: int = 4, n: int = 3) -> pd.DataFrame:
    """Strategy i scores .7 + .01 i at first and gains .02 a round; sd is .01."""
    rows = []
    for i, name in enumerate(names):
        for index in range(rounds):
            for j, region in enumerate(REGIONS):
                rows.append(
                    {
                        "label": name,
                        "round": index,
                        "metric": "dice",
                        "region": region,
                        "mean": 0.7 + 0.01 * i + 0.02 * index - 0.001 * j,
                        "sd": 0.01,
                        "n": n,
                        "slices": 10.0 * (index + 1),
                        "shown": 30.0 * (index + 1) - 20,
                        "cases": 5.0 * (index + 1),
                        "pixels": 30_720.0 * (index + 1),
                    }
                )
                rows.append(
                    {**rows[-1], "metric": "hd95", "mean": 6.0 - 0.5 * index - 0.1 * i, "sd": 0.4}
                )
    return pd.DataFrame(rows)


def made_up_cases(names: tuple[str, ...], cases: int = 20) -> pd.DataFrame:
    """Scores of test cases, a little higher for each further strategy."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "label": name,
                "case": f"case_{case:03d}",
                "region": region,
                "value": 0.7 + 0.01 * i + rng.normal(0, 0.04),
            }
            for i, name in enumerate(names)
            for region in REGIONS
            for case in range(cases)
        ]
    )
