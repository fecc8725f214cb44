"""A run that takes seconds: four small cases, a narrow U-Net, two rounds."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.experiments.config import RunConfig
from workbench.experiments.runs import Run
from workbench.files import cache_folder
from workbench.jobs import finish


def tiny_config(**changes: object) -> RunConfig:
    """Return settings that train next to nothing, on one thread in float32."""
    settings: dict[str, object] = {
        "source": "phantom",
        "strategy": {"name": "gradient-guided", "parameters": {"scale": "sign"}},
        "rounds": 2,
        "budget": 3,
        "initial": 4,
        "cases": 4,
        "threads": 1,
        "precision": "float32",
        "manifold": {"z_dim": 2, "epochs": 2, "min_steps": 8, "max_steps": 8},
        "segmentation": {
            "features": [4, 4, 8, 8, 8, 4],
            "epochs": 1,
            "min_steps": 12,
            "batch_size": 4,
            "learning_rate": 4e-3,
        },
    }
    return RunConfig.from_json({**settings, **changes})


def run_to_the_end(folder: Path, cache: Path, **changes: object) -> None:
    """Run the simulation in this process; the target of a child process."""
    os.environ["WORKBENCH_CACHE"] = str(cache)
    from workbench.experiments.simulate import simulate

    finish(simulate(tiny_config(**changes), folder))


def story(folder: Path) -> list[tuple[tuple[str, ...], tuple[str, ...], dict[str, float]]]:
    """Return what was labeled, suggested and scored in every round of a run."""
    return [(each.labeled, each.suggested, dict(each.metrics)) for each in Run.load(folder).rounds]


def bare_cache(folder: Path, like: Path | None = None) -> Path:
    """Make a cache that has the phantom's files of another one and nothing that was trained."""
    folder.mkdir(parents=True)
    for each in (like or cache_folder()).glob("phantom*"):
        (folder / each.name).symlink_to(each, target_is_directory=True)
    return folder
