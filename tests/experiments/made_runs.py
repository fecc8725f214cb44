"""Run folders written by hand: every score can be said beforehand, and nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.experiments.config import RunConfig
from workbench.files import read_json, write_json

CASES = ("case_1", "case_2", "case_3", "case_4")
SIX = tuple(f"case_{number}" for number in range(1, 7))
REGIONS = ("anterior", "posterior")
#: Dice of a seed, a round and the number of a case.
Dice = Callable[[int, int, int], float]


def make_run(
    folder: Path,
    strategy: str = "random",
    dice: Dice = lambda seed, index, case: 0.5 + 0.1 * index + 0.01 * case,
    *,
    done: int | None = None,
    cases: tuple[str, ...] = CASES,
    parameters: dict[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """Write a run of three rounds (10, 20 and 40 slices of 100 pixels), or its first `done`.

    The posterior scores .02 above the anterior; HD is 10 mm times 1 − Dice, HD95 half of it.
    """
    given = {"source": "phantom", "rounds": 2, "budget": [10, 20], "initial": 10, **settings}
    config = RunConfig.from_json({**given, "strategy": {"name": strategy}})
    compute = {"device": "cpu", "precision": "float32", "channels_last": True, "threads": 1}
    content = {"config": config.to_json(), "environment": {"compute": compute}}
    write_json(folder / "run.json", content)
    slices = (10, 20, 40) if config.rounds else (200,)
    for index in range(config.rounds + 1 if done is None else done):
        new = range(slices[index - 1] if index else 0, slices[index])
        whose = f"seed{config.seed}" if index == 0 else f"{strategy}{config.seed}"
        write_json(
            folder / "rounds" / f"{index:03d}" / "round.json",
            {
                "index": index,
                "labeled": [f"{whose}/axial/{number:04d}" for number in new],
                "suggested": [f"next/axial/{number:04d}" for number in range(10)],
                "details": {},
                "strategy": {"name": strategy, "parameters": parameters or {}},
                "metrics": {"mean": 0.5},
                "losses": [1.0, 0.5],
                "seconds": {"training": 2.0 + index, "scoring": 1.0, "suggesting": 0.5},
                "cases": {
                    name: {
                        region: scores(dice(config.seed, index, number) + 0.02 * place)
                        for place, region in enumerate(REGIONS)
                    }
                    for number, name in enumerate(cases)
                },
                "annotated": {
                    "slices": slices[index],
                    "cases": 4 + index,
                    "pixels": 100 * slices[index],
                    "foreground_pixels": 5 * slices[index] + 100 * index,
                },
                "pool": {"slices": 240, "without_reference": 40, "cases": 20, "all_cases": 26},
            },
        )
    return folder


def scores(dice: float) -> dict[str, float]:
    """All metrics of a Dice; a Dice of 0 is a missed region."""
    hd = 10 * (1 - dice)
    return {"dice": dice, "hd": hd, "hd95": hd / 2, "one_empty": float(dice <= 0)}


def make_full(folder: Path, dice: float = 0.9, **settings: Any) -> Path:
    """Write a full-data reference of 200 slices."""
    return make_run(
        folder,
        dice=lambda seed, index, case: dice,
        **{"rounds": 0, "budget": 12, "initial": "100 %", **settings},
    )


def change_round(run: Path, index: int, **changes: Any) -> None:
    """Write other values into a round of a run; None takes an entry away."""
    path = run / "rounds" / f"{index:03d}" / "round.json"
    content = {**read_json(path), **changes}
    write_json(path, {key: value for key, value in content.items() if value is not None})


def random(seed: int, index: int, case: int) -> float:
    """Between .50 and .70 over the rounds, higher for later seeds and cases."""
    return 0.5 + 0.1 * index + 0.01 * seed + 0.001 * case


def better(seed: int, index: int, case: int) -> float:
    """As much as random in round 0, then more by .01 to .02, by seed and case."""
    gain = (0.01 + 0.001 * seed + 0.0005 * case) * min(index, 1)
    return random(seed, index, case) + gain


def row(table: pd.DataFrame, **chosen: object) -> pd.Series:
    """Return the one row of a table that has these values."""
    for key, value in chosen.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]
