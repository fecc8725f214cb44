"""Runs under the papers' protocols: whole cases, transfer, the full-data reference, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.cohort.opening import open_cohort
from workbench.errors import CohortError, SettingError
from workbench.experiments.config import RunConfig
from workbench.experiments.protocols import FULL_DATA
from workbench.experiments.runs import Run
from workbench.experiments.simulate import open_run_data, prepare, simulate
from workbench.jobs import finish
from workbench.models.compute import Compute
from workbench.models.weights import fingerprint
from workbench.rounds import train_model
from workbench.session import Session
from workbench.study import initial_rows, learn_latent

from .tiny import bare_cache, tiny_config


def cases_of(names: tuple[str, ...]) -> set[str]:
    return {name.split("/")[0] for name in names}


def test_at_one_seed_strategies_start_alike_also_without_a_common_cache(tmp_path, monkeypatch):
    prints, runs = [], []
    finish(open_cohort("phantom", 4))
    caches = {name: bare_cache(tmp_path / name / "cache") for name in ("random", "margin")}
    for name, cache in caches.items():
        monkeypatch.setenv("WORKBENCH_CACHE", str(cache))
        config = tiny_config(strategy={"name": name}, rounds=0)
        runs.append(finish(simulate(config, tmp_path / name / "run")).rounds[0])
        study = finish(prepare(config, Compute(threads=1)))
        pool = study.data.pool.with_labeled(initial_rows(study.data.pool, 4, config.seed), 0)
        prints.append(fingerprint(finish(train_model(study, pool, 0)).network))
    assert runs[0].labeled == runs[1].labeled
    assert runs[0].losses == runs[1].losses, "same first weights, order and augmentation"
    assert runs[0].cases == runs[1].cases
    assert prints[0] == prints[1]


def test_the_manifold_has_a_seed_of_its_own(tmp_path):
    runs = [
        finish(simulate(tiny_config(manifold_seed=seed, rounds=0), tmp_path / str(seed)))
        for seed in (0, 1)
    ]
    first, second = (run.rounds[0] for run in runs)
    assert (first.labeled, first.losses, first.cases) == (
        second.labeled, second.losses, second.cases,
    )  # fmt: skip
    studies = [finish(prepare(run.config, Compute(threads=1))) for run in runs]
    assert not np.array_equal(studies[0].latent.z, studies[1].latent.z)
    assert studies[0].manifold.key != studies[1].manifold.key


def test_seeds_share_the_split_and_split_seeds_do_not():
    def held_out(**settings: int) -> tuple[str, ...]:
        return finish(open_run_data(tiny_config(cases=8, **settings))).test_images.cases

    assert held_out(seed=0) == held_out(seed=5)
    assert len({held_out(split_seed=seed) for seed in range(4)}) > 1


def test_latents_are_kept_beside_their_manifold():
    config = tiny_config()
    data = finish(open_run_data(config))
    compute = Compute(threads=1)
    _, learned = finish(learn_latent(data, config.manifold_config(), compute))
    stages: list[str] = []
    work = learn_latent(data, config.manifold_config(), compute)
    _, kept = finish(work, lambda progress: stages.append(progress.stage))
    assert np.array_equal(learned.z, kept.z)
    assert (learned.active_dims, learned.neighbor_distance) == (
        kept.active_dims, kept.neighbor_distance,
    )  # fmt: skip
    assert "encoding the images" not in stages


def test_whole_cases_are_drawn_and_suggested(tmp_path):
    config = tiny_config(unit="cases", initial=1, budget=1, rounds=1, cases=8)
    run = finish(simulate(config, tmp_path / "run"))
    pool = finish(open_run_data(config)).pool
    sizes = dict(zip(*np.unique([each.case for each in pool.ids], return_counts=True), strict=True))
    for saved in run.rounds:
        (case,) = cases_of(saved.labeled)
        assert len(saved.labeled) == sizes[case]
    assert cases_of(run.rounds[0].labeled) != cases_of(run.rounds[1].labeled)


def test_the_full_data_reference_labels_every_candidate(tmp_path):
    run = finish(simulate(tiny_config(**FULL_DATA, strategy={"name": "random"}), tmp_path / "run"))
    (only,) = run.rounds
    assert len(only.labeled) == len(finish(open_run_data(run.config)).pool)
    assert only.suggested == ()


def test_transfer_trains_on_one_site_and_suggests_from_the_other(tmp_path):
    config = tiny_config(cases=8, transfer={"pretrain": "CBICA", "pool": "TCIA"}, rounds=1)
    data = finish(open_run_data(config))
    assert all("TCIA" in case for case in (*data.images.cases, *data.test_images.cases))
    assert all("CBICA" in case for case in data.pretraining.images.cases)
    assert len(data.pretraining.images.cases) == 4
    assert data.pretraining.pool.labeled.all()
    here = finish(open_run_data(tiny_config(cases=8)))
    assert set(data.test_images.cases) < set(here.test_images.cases), "the same split"

    run = finish(simulate(config, tmp_path / "run"))
    scratch = finish(simulate(tiny_config(cases=8, rounds=0), tmp_path / "scratch"))
    assert cases_of(run.rounds[1].labeled) <= set(data.images.cases)
    assert run.rounds[0].losses[0] < scratch.rounds[0].losses[0], "it begins with trained weights"


def test_a_site_that_is_not_there_is_refused_with_those_that_are():
    config = tiny_config(transfer={"pretrain": "UCSF", "pool": "TCIA"})
    with pytest.raises(SettingError, match="no site 'UCSF'. Its sites: 'CBICA', 'TCIA'"):
        finish(open_run_data(config))
    small = tiny_config(cases=3, transfer={"pretrain": "CBICA", "pool": "TCIA"})
    with pytest.raises(CohortError, match="'TCIA' of phantom has 1 cases"):
        finish(open_run_data(small))


def test_each_round_may_have_its_own_manifold_epochs_and_first_weights(tmp_path):
    config = tiny_config(
        retrain_manifold=True,
        continue_weights=False,
        epochs=[1, 4, 1],
        segmentation={**tiny_config().segmentation, "min_steps": 0},
    )
    run = finish(simulate(config, tmp_path / "run"))
    assert [len(saved.losses) for saved in run.rounds] == [1, 8, 3]
    keys = {finish(prepare(config, Compute(threads=1), index)).manifold.key for index in range(3)}
    assert len(keys) == 3
    # killed after round 1 and continued: the same
    (tmp_path / "run" / "rounds" / "002" / "round.json").unlink()
    again = finish(simulate(config, tmp_path / "run"))
    assert again.rounds[2].losses == run.rounds[2].losses
    assert again.rounds[2].suggested == run.rounds[2].suggested


def test_images_without_a_reference_are_no_candidates(tmp_path, monkeypatch):
    cohort = finish(open_cohort("phantom", 4))
    root = tmp_path / "cohort"
    root.mkdir()
    unlabeled = cohort.cases[0].id
    for case in cohort.cases:
        (root / case.id).mkdir()
        for path in (*case.images.values(), case.label):
            if case.id != unlabeled or path != case.label:
                (root / case.id / path.name).symlink_to(path)
    config = tiny_config(source=str(root), cases=None, initial="100 %", rounds=0)
    pool = finish(open_run_data(config)).pool
    missing = np.array([each.case == unlabeled for each in pool.ids])
    assert missing.any()
    assert not pool.eligible[missing].any()
    assert pool.eligible[~missing].all()
    run = finish(simulate(config, tmp_path / "run"))
    assert unlabeled not in cases_of(run.rounds[0].labeled)
    assert len(run.rounds[0].labeled) == int((~missing).sum())
    assert f"has {len(missing):,} slices; {missing.sum():,} of them have no" in run.pool_sentence
    assert Run.load(tmp_path / "run").pool_sentence == run.pool_sentence


def test_an_impossible_schedule_is_refused_before_anything_is_trained(tmp_path):
    config = tiny_config(initial="60 %", budget="30 %", rounds=3)
    with pytest.raises(SettingError, match="after 2 of 3 rounds"):
        finish(simulate(config, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"transfer": {"pretrain": "CBICA", "pool": "TCIA"}},
        {"retrain_manifold": True},
        {"epochs": [1, 2, 3, 4]},
        {"unit": "cases"},
    ],
)
def test_a_session_leaves_to_simulated_runs_what_it_cannot_do(tmp_path, settings):
    with pytest.raises(SettingError, match="workbench simulate"):
        Session("phantom", tmp_path / "run", **settings)
    assert RunConfig(**settings)
