"""Numbers that were recorded once: a change that moves them must be meant.

Float32 on one thread; losses and Dice may differ by 5 % from machine to machine.
"""

from __future__ import annotations

import numpy as np

from workbench.experiments.simulate import simulate
from workbench.jobs import finish

from .tiny import tiny_config


def test_losses_and_dice_of_a_small_run(tmp_path, num_regression):
    config = tiny_config(
        cases=8,
        initial=16,
        rounds=1,
        manifold={"z_dim": 2, "epochs": 10, "min_steps": 60, "max_steps": 60},
        segmentation={
            "features": [8, 8, 16, 16, 16, 8],
            "epochs": 1,
            "min_steps": 120,
            "batch_size": 8,
            "learning_rate": 4e-3,
        },
    )
    run = finish(simulate(config, tmp_path / "run"))
    numbers = {}
    for saved in run.rounds:
        numbers[f"last losses of round {saved.index}"] = np.mean(saved.losses[-20:])
        numbers[f"whole-tumor Dice of round {saved.index}"] = saved.metrics["whole tumor"]
    num_regression.check(
        {name: np.array([value]) for name, value in numbers.items()},
        default_tolerance={"rtol": 0.05, "atol": 0.0},
    )
