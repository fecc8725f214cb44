"""One round: what is trained is kept, what strategies need is computed once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest

from workbench.errors import StrategyError
from workbench.evidence import EvidenceSource, variant_for
from workbench.files import cache_folder
from workbench.jobs import finish
from workbench.models.weights import fingerprint
from workbench.rounds import run_round, select, train_model
from workbench.strategies.base import Budget, Suggestions
from workbench.strategies.baselines import Oracle, Random
from workbench.strategies.conditions import BeforeTraining, LossHead
from workbench.strategies.gradient_guided import GradientGuided
from workbench.strategies.needs import Latents, Need, ReferenceDice, ShiftedLatents
from workbench.training.predict import score_rows


@dataclass(frozen=True)
class Asking:
    """Take the lowest free rows, and ask for what it is told to."""

    need: Need

    def needs(self):
        return frozenset({self.need})

    def select(self, evidence, budget, rng):
        assert evidence[self.need] is None or isinstance(self.need, Latents)
        return Suggestions(np.flatnonzero(evidence.free)[: budget.n])


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


def kept_networks():
    return sorted((cache_folder() / "unet").glob("*/weights.safetensors"))


def stages(work):
    seen = []
    result = finish(work, lambda progress: seen.append(progress.stage))
    return result, set(seen)


def test_a_trained_network_is_kept_and_opened_with_its_losses(study, pool):
    first, did = stages(train_model(study, pool, 0))
    assert "training the U-Net" in did
    second, did = stages(train_model(study, pool, 0))
    assert did == {"loading the U-Net"}
    assert second.losses == first.losses
    assert fingerprint(second.network) == fingerprint(first.network)
    assert not second.network.training
    assert len(kept_networks()) == 1
    assert [each.name for each in kept_networks()[0].parent.iterdir()] == ["weights.safetensors"]


@pytest.mark.parametrize("changed", ["labels", "rows", "settings", "seed", "round", "initial"])
def test_whatever_decides_a_network_decides_its_key(study, pool, changed, monkeypatch):
    trained = finish(train_model(study, pool, 0))
    other, index, initial = study, 0, None
    if changed == "labels":
        monkeypatch.setattr(study.data.labels, "key", "labels of another day")
    elif changed == "rows":
        pool = pool.with_labeled(np.flatnonzero(pool.free)[:1], 1)
    elif changed == "settings":
        other = replace(study, segmentation=replace(study.segmentation, smooth=0.5))
    elif changed == "seed":
        other = replace(study, seed=study.seed + 1)
    elif changed == "round":
        index = 1
    else:
        initial = trained.network
    _, did = stages(train_model(other, pool, index, initial))
    assert "training the U-Net" in did
    assert len(kept_networks()) == 2


def test_the_settings_of_a_loss_head_decide_the_key_of_networks_that_have_one(study, pool):
    assert asdict(variant_for([])) == {"dropout": 0.0, "head": None, "members": 1}
    finish(train_model(study, pool, 0, needs=[LossHead()]))
    _, did = stages(train_model(study, pool, 0, needs=[LossHead(bound=0.5)]))
    assert "training the U-Net" in did
    assert len(kept_networks()) == 2


def test_a_damaged_network_is_trained_anew_to_the_same_weights(study, pool):
    first = finish(train_model(study, pool, 0))
    (path,) = kept_networks()
    path.write_bytes(path.read_bytes()[:200])
    second, did = stages(train_model(study, pool, 0))
    assert "training the U-Net" in did
    assert fingerprint(second.network) == fingerprint(first.network)
    assert stages(train_model(study, pool, 0))[1] == {"loading the U-Net"}


@pytest.fixture
def source(study, pool):
    trained = finish(train_model(study, pool, 1))
    return EvidenceSource(study, pool, trained.network, 1)


def test_sources_are_those_of_the_latest_round_or_all(source, pool):
    last, every = (source.sources(ShiftedLatents(sources=name)) for name in ("last", "all"))
    assert last.tolist() == np.flatnonzero(pool.labeled_in == 1).tolist()
    assert every.tolist() == np.flatnonzero(pool.labeled).tolist()


@pytest.mark.parametrize("sources", ["last", "all"])
def test_where_nothing_is_labeled_there_is_no_source(study, sources):
    unlabeled = EvidenceSource(study, study.data.pool, None, 0)
    assert unlabeled.sources(ShiftedLatents(sources=sources)).size == 0


def test_moving_the_angle_computes_nothing_and_moving_alpha_no_gradient(source):
    strategy = GradientGuided(alpha=20.0)
    _, did = stages(select(source, strategy, Budget(3)))
    assert {"computing loss gradients", "following the gradients"} <= did
    _, did = stages(select(source, replace(strategy, max_angle=20), Budget(3)))
    assert did == set()
    _, did = stages(select(source, replace(strategy, alpha=30.0), Budget(3)))
    assert did == {"following the gradients"}


def test_a_calibrated_step_moves_the_sources_as_far_as_is_wished(source, study):
    need = ShiftedLatents(alpha=None, displacement=2.0)
    shift = finish(source.gather(frozenset({need})))[need]
    moved = np.median(np.linalg.norm(shift.shifted - shift.z, axis=1))
    assert moved / study.latent.neighbor_distance == pytest.approx(2.0, rel=0.01)
    assert shift.sources.tolist() == source.sources(need).tolist()


def test_the_reference_dice_is_that_of_the_model_and_unknown_without_reference(source, study):
    found = finish(source.gather(frozenset({ReferenceDice()})))[ReferenceDice()]
    data = study.data
    rows = np.flatnonzero(data.labels.available)
    expected = finish(score_rows(source.model, data.images, data.labels, rows, study.compute))
    np.testing.assert_array_equal(found[rows], expected["dice"])
    assert np.isnan(found[~data.labels.available]).all()


def test_what_strategies_are_given_is_read_only(source):
    evidence = finish(source.gather(frozenset({Latents(), ReferenceDice()})))
    for array in (evidence[Latents()], evidence[ReferenceDice()], evidence.labeled_in):
        assert not array.flags.writeable


def test_the_same_round_suggests_the_same_and_another_round_draws_anew(study, pool, source):
    def rows(index):
        found = EvidenceSource(study, pool, source.model, index)
        return finish(select(found, Random(), Budget(5))).rows.tolist()

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


@pytest.mark.parametrize("strategy", [GradientGuided(), Oracle()])
def test_what_needs_a_model_says_so_where_there_is_none(study, pool, strategy):
    with pytest.raises(StrategyError, match="needs a trained network.*Train a round first"):
        finish(select(EvidenceSource(study, pool, None, 0), strategy, Budget(1)))


def test_a_strategy_may_choose_before_anything_is_trained(study, pool):
    found, _ = stages(run_round(study, pool, Asking(BeforeTraining()), Budget(2), 1))
    assert found.suggestions.rows.tolist() == np.flatnonzero(pool.free)[:2].tolist()
    assert found.model is not None
    assert set(found.seconds) == {"training", "scoring", "suggesting"}


class Unheard(Need):
    """Something that nothing computes."""


def test_what_nothing_computes_is_said_before_training(study, pool):
    with pytest.raises(StrategyError, match="nothing computes that"):
        next(run_round(study, pool, Asking(Unheard()), Budget(2), 1))
    assert kept_networks() == []
