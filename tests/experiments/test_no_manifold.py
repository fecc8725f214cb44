"""A strategy that does not look at the manifold does not wait for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.tiny import tiny_config
from workbench.errors import StrategyError
from workbench.experiments.simulate import compute_for, prepare, simulate
from workbench.jobs import finish
from workbench.strategies import get_strategy
from workbench.training.manifold import STAGE


def stages(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setenv("WORKBENCH_CACHE", str(folder / "cache"))
    seen: set[str] = set()
    finish(
        simulate(tiny_config(strategy={"name": name}, rounds=1), folder / "run"),
        lambda progress: seen.add(progress.stage),
    )
    return seen


@pytest.mark.parametrize(
    ("name", "learned"), [("random", False), ("entropy", False), ("gradient-guided", True)]
)
def test_the_vae_is_trained_only_for_those_who_look_at_it(
    name: str, learned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (STAGE in stages(name, tmp_path, monkeypatch)) is learned


def test_a_manifold_that_was_not_learned_is_told() -> None:
    config = tiny_config()
    needs = get_strategy("random").needs()
    study = finish(prepare(config, compute_for(config), needs=needs))
    with pytest.raises(StrategyError, match="not learned"):
        _ = study.latent
