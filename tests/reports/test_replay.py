"""Chains and latent maps come out of a run's folder, or a sentence does."""

from __future__ import annotations

import json
import shutil

import numpy as np

from tests.experiments.tiny import tiny_config
from tests.reports.runs import tiny_run
from workbench.experiments.runs import Run, SavedRound
from workbench.experiments.simulate import simulate
from workbench.jobs import finish
from workbench.reports.comparison.replay import find_chains, replay


def saved(index, sources, picks):
    return SavedRound(index, (), tuple(picks), {"source": sources}, {}, {}, (), {})


def test_a_chain_leads_from_a_source_to_what_followed_from_it():
    rounds = [
        saved(0, ["a", "b", None], ["c", "d", "e"]),
        saved(1, ["c", "c"], ["f", "g"]),
        saved(2, ["g"], ["never labeled"]),
    ]
    assert find_chains(rounds) == [("a", "c", "f"), ("b", "d")]
    assert find_chains(rounds, most=1) == [("a", "c", "f")]
    assert find_chains(rounds, length=2) == [("a", "c"), ("b", "d")]


def test_whole_cases_are_chained_by_their_cases():
    rounds = [
        saved(0, ["a/axial/0000"] * 2, ["b/axial/0000", "b/axial/0001"]),
        saved(1, ["b/axial/0000"] * 2, ["c/axial/0000", "c/axial/0001"]),
        saved(2, [], []),
    ]
    assert find_chains(rounds, named=lambda name: name.split("/")[0]) == [("a", "b", "c")]


def test_a_strategy_that_gives_no_source_has_no_chain():
    assert find_chains([SavedRound(0, (), ("a",), {}, {}, {}, (), {})] * 3) == []


def test_maps_show_the_sources_and_suggestions_that_were_saved():
    run = Run.load(tiny_run("gradient-guided"))
    seen = finish(replay(run, "gradient-guided, seed 0"))
    assert (seen.note, seen.missing) == ("", "")
    steps = seen.maps.layout.sliders[0].steps
    assert [step.label for step in steps] == ["0", "1", "2"]
    shown = [np.flatnonzero(step.args[0]["visible"]) for step in steps]
    for saved_round, traces in zip(run.rounds, shown, strict=True):
        marks = {seen.maps.data[i].meta: seen.maps.data[i] for i in traces}
        assert len(marks["source"].x) == len(saved_round.labeled)
        stars = [text for key in ("suggestion", "outside_cone") if key in marks
                 for text in marks[key].text]  # fmt: skip
        assert sorted(stars) == sorted(saved_round.suggested)
    titles = {note.text.split("<br>")[0] for note in seen.chains.layout.annotations}
    assert {"source, labeled in round 0", "→ suggested, labeled in round 1"} <= titles


def test_a_strategy_without_gradients_has_maps_without_arrows():
    seen = finish(replay(Run.load(tiny_run("random")), "random, seed 0"))
    assert seen.chains is None
    assert "source" not in {trace.meta for trace in seen.maps.data}


def test_nothing_is_trained_for_a_picture(tmp_path, monkeypatch):
    folder = tiny_run("gradient-guided")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    missing = finish(replay(Run.load(folder), "this run")).missing
    assert missing.startswith("the manifold is not in the cache folder")
    assert not list(tmp_path.glob("manifolds/*/vae.safetensors"))


def test_a_cohort_that_is_elsewhere_is_said_to_be(tmp_path):
    folder = shutil.copytree(tiny_run("gradient-guided"), tmp_path / "run")
    content = json.loads((folder / "run.json").read_text())
    content["config"]["source"] = str(tmp_path / "gone")
    (folder / "run.json").write_text(json.dumps(content))
    seen = finish(replay(Run.load(folder), "this run"))
    assert seen.maps is None
    assert str(tmp_path / "gone") in seen.missing


def test_whole_cases_have_chains_of_their_middle_slices_and_a_note(tmp_path):
    config = tiny_config(unit="cases", cases=8, initial=1, budget=1, rounds=2)
    seen = finish(replay(finish(simulate(config, tmp_path / "run")), "by case"))
    assert "suggested whole cases" in seen.note
    assert seen.maps is not None
    titles = [note.text for note in seen.chains.layout.annotations if "axial" in note.text]
    assert len(titles) == 3
    assert all("axial 0<" not in title for title in titles)


def test_where_the_suggestions_lay_is_told_of_every_run_whose_manifold_is_there():
    from workbench.experiments.results import read_results
    from workbench.reports.comparison.picks import picks_table, read_picks

    results = read_results([tiny_run("gradient-guided"), tiny_run("random")])
    frame = finish(read_picks(results))
    assert sorted(frame["label"]) == ["gradient-guided", "random"]
    told = picks_table(frame, tuple(results.labels)).text.set_index("strategy")
    assert told.loc["random", "in no cone"] == "–"
    assert told.loc["gradient-guided", "in no cone"].endswith("%")
    assert (frame["cover"] < frame["cover_before"]).all()
