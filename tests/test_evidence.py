"""Evidence of a trained network: computed once, one pass for all that one pass can tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from workbench.errors import StrategyError
from workbench.evidence import EvidenceSource, variant_for
from workbench.files import cache_folder
from workbench.jobs import finish
from workbench.models.variants import HeadSettings, Variant
from workbench.rounds import build_model, select
from workbench.strategies.base import Budget
from workbench.strategies.conditions import Dropout, Ensemble, LossHead
from workbench.strategies.gradient_voting import GradientVoting
from workbench.strategies.needs import (
    Disagreement,
    Features,
    Latents,
    PredictedLoss,
    PredictedShare,
    ReferenceForeground,
    RepresentativeOrder,
    ShiftedLatents,
    Uncertainty,
    VariedShifts,
)


@pytest.fixture
def source_for(study, pool):
    def make(*needs):
        return EvidenceSource(study, pool, build_model(study, needs), 1)

    return make


def stages(work):
    seen = []
    result = finish(work, lambda progress: seen.append(progress.stage))
    return result, seen


def test_one_pass_answers_all_that_one_pass_can_tell(source_for, study):
    source = source_for()
    needs = frozenset({Uncertainty("entropy"), Uncertainty("margin"), PredictedShare(), Features()})
    seen, did = stages(source.gather(needs))
    assert did == ["looking at the pool"] * -(-len(study.data.pool) // 64)
    assert set(seen.values) == needs
    assert stages(source.gather(needs))[1] == []


def test_labeled_rows_have_features_but_no_uncertainty(source_for, pool):
    needs = frozenset({Uncertainty("entropy"), PredictedShare(), Features()})
    seen = finish(source_for().gather(needs))
    assert np.isnan(seen[Uncertainty("entropy")]).tolist() == (~pool.free).tolist()
    assert np.isfinite(seen[Features()]).all()
    assert seen[Features()].shape == (len(pool), 8)
    np.testing.assert_allclose(seen[PredictedShare()][pool.free].sum(axis=1), 1.0)
    assert not any(value.flags.writeable for value in seen.values.values())


def test_a_sum_over_pixels_is_the_mean_times_their_number(source_for, study):
    mean, total = (Uncertainty("variance", 2, each) for each in ("mean", "sum"))
    seen = finish(source_for(Dropout(0.5)).gather(frozenset({mean, total})))
    pixels = np.prod(study.data.images.images.shape[2:])
    np.testing.assert_allclose(seen[total], seen[mean] * pixels)


def test_dropout_passes_repeat_in_another_process_and_differ_from_round_to_round(study, pool):
    need = Uncertainty("mutual_information", 2)
    model = build_model(study, [Dropout(0.5)])
    told = [
        finish(EvidenceSource(study, pool, model, index).gather(frozenset({need})))[need]
        for index in (1, 1, 2)
    ]
    np.testing.assert_array_equal(told[0], told[1])
    assert not np.array_equal(told[0], told[2], equal_nan=True)


def test_where_no_slider_follows_no_table_is_made_and_the_shift_is_the_same(study, pool):
    need, model = ShiftedLatents(), build_model(study)
    found = {}
    for tabulate in (True, False):
        source = EvidenceSource(study, pool, model, 1, tabulate=tabulate)
        seen, did = stages(source.gather(frozenset({need})))
        assert any(stage.startswith("tabulating") for stage in did) == tabulate
        found[tabulate] = seen[need]
    assert found[True].alpha == found[False].alpha
    np.testing.assert_array_equal(found[True].shifted, found[False].shifted)


@pytest.mark.parametrize(
    ("condition", "need"), [(Ensemble(2), Disagreement()), (LossHead(), PredictedLoss())]
)
def test_what_only_one_network_tells_is_told_by_it_and_asked_of_no_other(
    source_for, pool, condition, need
):
    needs = frozenset({condition, need})
    seen = finish(source_for(condition).gather(needs))
    assert np.isfinite(seen[need]).tolist() == pool.free.tolist()
    with pytest.raises(StrategyError, match="was not trained as the strategy needs"):
        finish(source_for().gather(needs))


def test_conditions_decide_the_network_that_is_trained():
    assert variant_for([Latents()]) == Variant()
    assert variant_for([Dropout(0.3)]) == Variant(dropout=0.3)
    head = HeadSettings(0.2, 3.0, 0.5, 0.7)
    assert variant_for([LossHead(0.2, 3.0, 0.5, 0.7)]) == Variant(head=head)
    assert variant_for([Ensemble(3), Dropout(0.1)]) == Variant(dropout=0.1, members=3)


def test_a_network_that_can_do_more_serves_a_strategy_that_asks_for_less(source_for):
    ensemble = source_for(Ensemble(2))
    assert ensemble.fits({Uncertainty("entropy")})
    assert not ensemble.fits({Ensemble(4)})
    assert not ensemble.fits({Dropout(0.5)})
    assert source_for(Dropout(0.5)).fits({Dropout(0.5)})
    assert not source_for(Dropout(0.5)).fits({Dropout(0.3)})


def test_references_with_foreground_are_those_with_labeled_pixels(source_for, study):
    found = finish(source_for().gather(frozenset({ReferenceForeground()})))[ReferenceForeground()]
    known = study.data.labels.available
    expected = study.data.labels.foreground > 0
    assert found[known].tolist() == expected[known].astype(float).tolist()
    assert np.isnan(found[~known]).all()
    assert 0 < expected.sum() < len(expected)


def test_a_ranking_is_made_once_for_all_runs(study, pool):
    need = RepresentativeOrder(clusters=4)
    ranked, did = stages(EvidenceSource(study, pool, None, 0).gather(frozenset({need})))
    assert set(did) == {"ranking the pool"}
    again, did = stages(EvidenceSource(study, study.data.pool, None, 0).gather(frozenset({need})))
    assert did == []
    np.testing.assert_array_equal(ranked[need], again[need])
    assert sorted(ranked[need]) == list(range(len(pool)))
    other = RepresentativeOrder(clusters=5)
    assert stages(EvidenceSource(study, pool, None, 0).gather(frozenset({other})))[1]
    assert len(list((cache_folder() / "rankings").glob("*.npy"))) == 2


def test_a_damaged_ranking_is_made_anew(study, pool):
    need = RepresentativeOrder(clusters=4)
    ranked = finish(EvidenceSource(study, pool, None, 0).gather(frozenset({need})))[need]
    (path,) = (cache_folder() / "rankings").glob("*.npy")
    whole = path.read_bytes()
    for damage in (b"", whole[:40], whole[:-9]):
        path.write_bytes(damage)
        again = finish(EvidenceSource(study, pool, None, 0).gather(frozenset({need})))[need]
        np.testing.assert_array_equal(again, ranked)
        assert path.read_bytes() == whole


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("vary", ["intensity", "dropout"])
def test_varied_directions_start_where_the_plain_one_does_and_lead_elsewhere(source_for, vary):
    step = ShiftedLatents()
    need = VariedShifts(step, 2, vary)
    source = source_for(Dropout(0.5))
    seen = finish(source.gather(frozenset({step, need})))
    plain, varied = seen[step], seen[need]
    assert len(varied) == 2
    ends = [plain.shifted, *(each.shifted for each in varied)]
    for each in varied:
        assert each.alpha == plain.alpha
        np.testing.assert_array_equal(each.z, plain.z)
        np.testing.assert_array_equal(each.sources, plain.sources)
    assert len({end.tobytes() for end in ends}) == 3
    steps = np.stack(ends) - plain.z
    lengths = np.linalg.norm(steps, axis=2)
    cosine = (steps[1:] * steps[0]).sum(axis=2) / (lengths[1:] * lengths[0])
    if vary == "intensity":  # variations of one gradient, not gradients of anything
        assert np.median(cosine) > 0.5
    again = finish(source_for(Dropout(0.5)).gather(frozenset({step, need})))[need]
    np.testing.assert_allclose(again[1].shifted, varied[1].shifted)


def test_changing_the_step_computes_no_gradient_again(source_for):
    source = source_for()
    _, did = stages(select(source, GradientVoting(alpha=20.0, directions=3), Budget(3)))
    assert did.count("computing loss gradients") == 3
    _, did = stages(select(source, GradientVoting(alpha=30.0, directions=3), Budget(3)))
    assert set(did) == {"following the gradients", "following varied gradients"}


def test_torch_is_left_alone_by_dropout_directions(source_for):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    need = VariedShifts(ShiftedLatents(alpha=5.0), 1, "dropout")
    finish(source_for(Dropout(0.5)).gather(frozenset({need})))
    assert torch.equal(torch.rand(2), expected)
