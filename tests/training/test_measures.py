"""Measures of uncertainty against their definitions, on whole arrays."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from workbench.errors import TrainingError
from workbench.jobs import finish
from workbench.models.variants import (
    HeadSettings,
    SeededDropout,
    Variant,
    build_network,
    outputs,
    reseed_dropout,
    sampling_copy,
)
from workbench.training import measures
from workbench.training.measures import look, sample
from workbench.training.predict import predict, predict_batches

from .toys import ToyImages

TINY = (4, 4, 6, 8, 10, 5)
ALL = ("least_confidence", "margin", "entropy", "share", "features")
SAMPLED = ("variance", "mutual_information", "least_confidence", "margin", "entropy")


def network(**variant):
    """A network with running statistics unlike the initial ones."""
    made = build_network(2, 3, TINY, Variant(**variant)).train()
    with torch.no_grad():
        made(torch.from_numpy(ToyImages().arrays))
        for parameter in made.parameters():  # far from certain about nothing
            parameter.mul_(1.5)
    return made


def test_measures_of_probabilities_worked_out_by_hand():
    p = torch.tensor([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])[:, :, None, None]
    assert measures.least_confidence(p).flatten().tolist() == pytest.approx([0.3, 0, 2 / 3])
    assert measures.margin(p).flatten().tolist() == pytest.approx([0.5, 0, 1])
    assert measures.entropy(p).flatten().tolist() == pytest.approx(
        [-(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)), 0, np.log(3)], abs=1e-6
    )


def test_the_variance_is_that_of_the_population_averaged_over_classes():
    samples = torch.tensor([[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])[:, None, :, None, None]
    expected = (np.var([0.2, 0.4, 0.9]) + np.var([0.8, 0.6, 0.1])) / 2
    assert measures.variance(samples).item() == pytest.approx(expected)


def test_one_look_tells_what_whole_arrays_would(compute):
    images, model = ToyImages(), network()
    rows = np.array([3, 0, 7, 11, 5])
    found = finish(look(model, images, rows, compute, ALL, batch=2))
    with torch.no_grad():
        told = outputs(model.eval(), torch.from_numpy(images.read(rows)))
        p = torch.softmax(told.logits, dim=1).double().numpy()
    best = np.sort(p, axis=1)
    assert found["least_confidence"] == pytest.approx((1 - best[:, -1]).mean(axis=(1, 2)))
    assert found["margin"] == pytest.approx((1 - best[:, -1] + best[:, -2]).mean(axis=(1, 2)))
    assert found["entropy"] == pytest.approx(-(p * np.log(p)).sum(axis=1).mean(axis=(1, 2)))
    predicted = p.argmax(axis=1)
    share = np.stack([(predicted == k).mean(axis=(1, 2)) for k in range(3)], axis=1)
    np.testing.assert_allclose(found["share"], share)
    np.testing.assert_allclose(found["features"], told.features.numpy(), rtol=1e-4, atol=1e-6)
    assert found["features"].dtype == np.float32
    assert all(found[name].dtype == np.float64 for name in ALL[:-1])


def test_an_ensemble_disagrees_by_the_variance_of_its_members(compute):
    images, model = ToyImages(), network(members=3)
    found = finish(look(model, images, range(12), compute, ["disagreement"], batch=5))
    with torch.no_grad():
        members = outputs(model.eval(), torch.from_numpy(images.arrays)).members.double().numpy()
    expected = members.var(axis=0).mean(axis=1).mean(axis=(1, 2))
    assert found["disagreement"] == pytest.approx(expected, rel=1e-4)
    assert (expected > 0).all()


def test_the_loss_head_is_asked_slice_by_slice(compute):
    images, model = ToyImages(), network(head=HeadSettings())
    found = finish(look(model, images, range(12), compute, ["predicted_loss"], batch=5))
    with torch.no_grad():
        expected = outputs(model.eval(), torch.from_numpy(images.arrays)).predicted_loss.numpy()
    assert found["predicted_loss"] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def passes_kept(model, images, rows, passes, seed, batch):
    """Every pass of every slice in memory, shape (t, m, k, h, w)."""
    parts = []
    for start in range(0, len(rows), batch):
        x = torch.from_numpy(images.read(rows[start : start + batch]))
        sampled = sampling_copy(model)
        reseed_dropout(sampled, *seed, start)
        with torch.no_grad():
            parts.append(torch.stack([torch.softmax(sampled(x), dim=1) for _ in range(passes)]))
    return torch.cat(parts, dim=1).double().numpy()


@pytest.mark.parametrize("passes", [2, 5])
def test_streamed_passes_tell_what_kept_ones_would(compute, passes):
    images, model, rows = ToyImages(), network(dropout=0.5), np.arange(7)
    found = finish(sample(model, images, rows, compute, passes, (3, 1), SAMPLED, batch=3))
    p = passes_kept(model, images, rows, passes, (3, 1), 3)

    def entropy(q):
        return -(q * np.log(np.maximum(q, 1e-300))).sum(axis=-3)

    mean = p.mean(axis=0)
    assert found["variance"] == pytest.approx(p.var(axis=0).mean(axis=(1, 2, 3)), rel=1e-4)
    information = entropy(mean) - entropy(p).mean(axis=0)
    assert found["mutual_information"] == pytest.approx(information.mean(axis=(1, 2)), rel=1e-3)
    assert found["entropy"] == pytest.approx(entropy(mean).mean(axis=(1, 2)), rel=1e-4)
    assert (found["variance"] > 0).all()


def test_samples_repeat_and_leave_the_network_and_torch_alone(compute):
    images, model = ToyImages(), network(dropout=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def once(seed):
        return finish(sample(model, images, range(6), compute, 3, seed, ["variance"]))["variance"]

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = once((0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert first.tolist() == once((0, 1)).tolist()
    assert first.tolist() != once((0, 2)).tolist()
    assert all(layer.training for layer in model.modules()), "its mode is as it was given"
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_sampling_and_predicting_at_once_do_not_disturb_each_other(compute):
    images, model = ToyImages(), network(dropout=0.5).eval()
    rows, sampled = range(6), ["variance", "mutual_information"]

    def predicted():
        return torch.cat([logits for _, logits in predict_batches(model, images, rows, compute)])

    alone, certain = finish(sample(model, images, rows, compute, 3, (0, 1), sampled)), predicted()
    work = sample(model, images, rows, compute, 3, (0, 1), sampled, batch=64)
    while True:  # each of these steps may be another thread's, between two passes
        try:
            next(work)
        except StopIteration as ended:
            between = ended.value
            break
        assert not any(layer.training for layer in model.modules())
        assert torch.equal(predicted(), certain)
    for name in sampled:
        assert between[name].tolist() == alone[name].tolist()


def test_a_slice_that_another_thread_predicts_meanwhile_changes_no_draw_and_is_certain(compute):
    images, model = ToyImages(), network(dropout=0.5).eval()
    certain = finish(predict(model, images, [0], compute))
    alone = finish(sample(model, images, range(2), compute, 2, (0, 1), ["variance"]))["variance"]
    seen = []
    hook = SeededDropout.forward

    def at_a_dropped_layer(layer, x):  # the moment at which a shared network would draw
        if threading.current_thread() is threading.main_thread() and layer.training:
            other = threading.Thread(
                target=lambda: seen.append(finish(predict(model, images, [0], compute)))
            )
            other.start()
            other.join()
        return hook(layer, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SeededDropout, "forward", at_a_dropped_layer)
        work = sample(model, images, range(2), compute, 2, (0, 1), ["variance"])
        assert finish(work)["variance"].tolist() == alone.tolist()
    assert seen
    assert all(np.array_equal(each, certain) for each in seen)


def test_no_rows_give_empty_answers_of_the_right_width(compute):
    found = finish(look(network(), ToyImages(), [], compute, ALL))
    assert found["entropy"].shape == (0,)
    assert found["share"].shape == (0, 3)
    assert found["features"].shape == (0, 10)
    nothing = finish(sample(network(dropout=0.5), ToyImages(), [], compute, 2, (0,), SAMPLED))
    assert all(values.shape == (0,) for values in nothing.values())


@pytest.mark.parametrize(
    ("wanted", "lacks"), [("disagreement", "several networks"), ("predicted_loss", "a head")]
)
def test_a_network_that_cannot_tell_says_so(compute, wanted, lacks):
    with pytest.raises(TrainingError, match=lacks):
        finish(look(network(), ToyImages(), range(3), compute, [wanted]))


def test_a_network_without_dropout_cannot_be_sampled(compute):
    with pytest.raises(TrainingError, match="without dropout"):
        finish(sample(network(), ToyImages(), range(3), compute, 5, (0,), ["variance"]))
