"""The loop over rounds, with a strategy that no one registered."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

from workbench.errors import RunError, WorkbenchError
from workbench.experiments.simulate import simulate
from workbench.jobs import finish
from workbench.strategies import from_record
from workbench.strategies.base import Suggestions

from .tiny import tiny_config


@dataclass(frozen=True)
class Lowest:
    """Take the lowest free rows."""

    start: int = 0

    def needs(self):
        return frozenset()

    def select(self, evidence, budget, rng):
        return Suggestions(np.flatnonzero(evidence.free)[self.start :][: budget.n])


def test_a_strategy_handed_in_is_recorded_and_goes_on(tmp_path):
    config = tiny_config(rounds=1)
    run = finish(simulate(config, tmp_path, Lowest(3)))
    assert from_record(run.config.strategy) == Lowest(3)
    more = finish(simulate(tiny_config(rounds=2), tmp_path, Lowest(3)))
    assert len(more.rounds) == 3
    with pytest.raises(RunError, match="strategy is"):
        finish(simulate(tiny_config(rounds=3), tmp_path, Lowest(4)))


def test_a_pool_that_is_used_up_ends_the_run(tmp_path):
    run = finish(simulate(tiny_config(rounds=2, cases=2), tmp_path, Lowest(10_000)))
    assert len(run.rounds) == 1
    assert run.rounds[0].suggested == ()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"budget": 100_000}, "The budget is 100,000 slices in one round"),
        ({"source": "no/such/folder"}, "no/such/folder"),
        (
            {"segmentation": {"min_step": 20}},
            "segmentation has no setting 'min_step'. Did you mean 'min_steps'?",
        ),
        ({"segmentation": {"min_steps": -5}}, "min_steps -5. Neither can be negative"),
        ({"manifold": {"zdim": 2}}, "manifold has no setting 'zdim'. Did you mean 'z_dim'?"),
        ({"manifold": {"z_dim": 0}}, "manifold.z_dim is 0. It must be above 0"),
    ],
)
def test_settings_that_cannot_be_used_leave_no_folder_behind(tmp_path, settings, said):
    with pytest.raises(WorkbenchError, match=re.escape(said)):
        finish(simulate(tiny_config(**settings), tmp_path / "run"))
    assert not (tmp_path / "run").exists()
