"""Whole runs with strategies that change what a round does: trained, saved, continued."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from workbench.evidence import EvidenceSource
from workbench.experiments.runs import Run
from workbench.experiments.simulate import load_round_model, open_run, prepare, simulate
from workbench.jobs import finish
from workbench.models.variants import Ensemble, HeadSettings, UNetWithLossHead, variant_of
from workbench.models.weights import fingerprint
from workbench.rounds import select
from workbench.strategies import get_strategy, record
from workbench.strategies.base import Budget

from .tiny import run_to_the_end, story, tiny_config

STRATEGIES = {
    "learning-loss": {},
    "dal": {"members": 2},
    "mc-dropout": {"passes": 2},
    "clsmc": {"clusters": 5},
    "gradient-voting": {"directions": 3},
}


def settings(name, **changes):
    return {"strategy": record(get_strategy(name, **STRATEGIES[name])), **changes}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_run_goes_on_where_it_was_ended_with_any_network(tmp_path, name):
    cache = Path(os.environ["WORKBENCH_CACHE"])
    run_to_the_end(tmp_path / "whole", cache, **settings(name))
    run_to_the_end(tmp_path / "parts", cache, **settings(name, rounds=1))
    run_to_the_end(tmp_path / "parts", cache, **settings(name))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
    rounds = Run.load(tmp_path / "whole").rounds
    assert [len(each.suggested) for each in rounds] == [3, 3, 3]
    assert all(bool(each.head_losses) == (name == "learning-loss") for each in rounds)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_saved_network_suggests_what_the_trained_one_did(tmp_path, name):
    config = tiny_config(**settings(name, rounds=1))
    run = finish(simulate(config, tmp_path / "run"))
    run, compute = open_run(tmp_path / "run", config)
    study = finish(prepare(config, compute))
    pool = run.pool_after(study.data.pool)
    model = load_round_model(run, 1, study)
    kinds = {"learning-loss": UNetWithLossHead, "dal": Ensemble}
    assert isinstance(model, kinds.get(name, object))
    found = finish(
        select(EvidenceSource(study, pool, model, 1), config.query_strategy(), Budget(3))
    )
    names = tuple(str(pool.ids[row]) for row in found.rows)
    assert names == run.rounds[1].suggested


def test_every_strategy_that_trains_alike_shares_its_first_network(tmp_path):
    prints = {}
    for name in ("mc-dropout", "bald", "entropy", "random", "learning-loss"):
        config = tiny_config(strategy={"name": name, "parameters": {}}, rounds=1, budget=2)
        run = finish(simulate(config, tmp_path / name))
        _, compute = open_run(tmp_path / name, config)
        model = load_round_model(run, 0, finish(prepare(config, compute)))
        prints[name] = fingerprint(model), variant_of(model)
    assert prints["mc-dropout"] == prints["bald"]
    assert prints["entropy"] == prints["random"]
    assert prints["mc-dropout"][1].dropout == 0.5
    assert prints["learning-loss"][1].head == HeadSettings()
    assert len({each for each, _ in prints.values()}) == 3


@pytest.mark.parametrize("name", ["entropy", "dal", "clsmc", "core-set", "gradient-guided"])
def test_whole_cases_are_suggested_and_labeled(tmp_path, name):
    config = tiny_config(
        strategy={"name": name, "parameters": {}}, unit="cases", cases=5, initial=1, budget=1
    )
    run = finish(simulate(config, tmp_path / "run"))
    for each in run.rounds[:-1]:
        cases = {slice_id.split("/")[0] for slice_id in each.suggested}
        assert len(cases) == 1
    labeled = [len(each.labeled) for each in run.rounds]
    assert np.min(labeled) > 5
