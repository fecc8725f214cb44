"""A cohort that nobody has labeled yet: everything of it is annotated in the session."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.experiments.tiny import tiny_config
from tests.session.test_session import a_session
from workbench.cohort.phantom import make_phantom
from workbench.errors import CohortError, SettingError, WorkbenchError
from workbench.experiments.export import export_masks
from workbench.experiments.runs import Run
from workbench.experiments.simulate import open_run_data
from workbench.jobs import finish
from workbench.session import Session


@pytest.fixture(scope="module")
def images_only(tmp_path_factory):
    """Plain files of one channel of the phantom, without a label among them."""
    folder = tmp_path_factory.mktemp("unlabeled") / "scans"
    (folder / "images").mkdir(parents=True)
    source = finish(make_phantom(cases=3))
    for path in sorted(source.rglob("*flair*.nii*")):
        shutil.copy(path, folder / "images" / path.name)
    return folder


def opened(source: Path, folder: Path, **changes: object) -> Session:
    settings = tiny_config(initial=3, budget=2, **changes).to_json()
    for name in ("strategy", "source", "cases"):
        settings.pop(name)
    session = Session(source, folder, **settings)
    session.annotator = "anna"
    session.open()
    session.wait()
    return session


def annotate(session: Session, row: int) -> None:
    """Mark the brightest part of a slice."""
    session.edit(row)
    image = session.images.read([row])[0, 0]
    session.draw((image > np.quantile(image, 0.97)).astype(np.uint8), tool="fill")
    session.answer("done")


def test_images_without_labels_are_annotated_trained_on_and_suggested(images_only, tmp_path):
    session = opened(images_only, tmp_path / "run", labels={"1": "bright"})
    assert session.labels.classes == ("background", "bright")
    assert session.test_cases == ()
    assert "Dice cannot be measured" in " ".join(session.log)
    session.next()
    session.wait()
    assert session.latent is not None, "the manifold is learned meanwhile"
    assert session.round is None
    initial = [task.row for task in session.queue]
    assert [task.state for task in session.queue] == ["suggested"] * 3
    assert session.next_step == "Annotate these 3"
    session.start_round()
    assert "nothing to train on yet" in session.problem
    with pytest.raises(WorkbenchError):
        session.wait()
    session.next()
    assert session.editing.row == initial[0]
    assert session.editing.started_from == "empty"
    for row in initial[:2]:
        annotate(session, row)
    session.close()

    again = opened(images_only, tmp_path / "run", labels={"1": "bright"})
    again.start_round()
    again.wait()
    assert again.round.index == 0
    assert np.flatnonzero(again.pool.labeled).tolist() == sorted(initial[:2])
    assert again.round.metrics == {}
    assert "Dice cannot be measured" in again.steps["curve"].detail
    assert "not tested" in again.steps["model"].detail
    assert again.ghost == ()
    assert len(again.suggestions.rows) == 2
    assert again.next_step == "Annotate these 2"
    again.label_suggestions()
    assert "no reference" in again.problem
    row = int(again.suggestions.rows[0])
    again.edit(row)
    assert again.editing.started_from == "prediction"
    again.answer("done")
    again.start_round()
    again.wait()
    assert again.round.index == 1
    assert again.pool.labeled_in[row] == 1
    again.close()

    third = opened(images_only, tmp_path / "run", labels={"1": "bright"})
    assert third.round.index == 1
    assert third.suggestions.rows.tolist() == again.suggestions.rows.tolist()
    third.close()
    masks = tmp_path / "masks"
    assert finish(export_masks(Run.load(tmp_path / "run"), masks)) >= 1
    written = next(masks.glob("*.nii.gz"))
    assert set(np.unique(np.asarray(nibabel.load(written).dataobj))) <= {0, 1, 2}


def test_a_copy_of_the_images_keeps_its_annotations(images_only, tmp_path):
    session = opened(images_only, tmp_path / "run", labels={"1": "bright"})
    annotate(session, 3)
    session.close()
    for path in (images_only / "images").iterdir():
        path.touch()  # as a copy on another disk has times of its own
    again = opened(images_only, tmp_path / "run", labels={"1": "bright"})
    assert again.pool.labeled_in[3] == 0
    assert [(task.row, task.state) for task in again.queue] == [(3, "done")]
    again.close()


def test_a_simulated_run_refuses_images_without_labels(images_only):
    config = tiny_config(source=str(images_only), cases=None)
    with pytest.raises(CohortError, match="at least two cases with a label"):
        finish(open_run_data(config))


def test_classes_nobody_knows_are_asked_for_before_anything_is_drawn(images_only, tmp_path):
    session = opened(images_only, tmp_path / "run")
    session.edit(0)
    assert 'labels={"1": "tumor"}' in session.problem
    session.close()


@pytest.mark.parametrize("labels", [{"0": "background"}, {"one": "tumor"}, {"255": "x"}, {"1": ""}])
def test_names_for_values_that_no_class_can_have_are_refused(labels):
    with pytest.raises(SettingError, match="whole numbers from 1"):
        tiny_config(labels=labels)


def test_candidates_that_nobody_knows_are_refused():
    with pytest.raises(SettingError, match="referenced, all, auto"):
        tiny_config(candidates="every")


def test_names_for_values_that_a_cohort_names_itself_are_refused(tmp_path):
    session = a_session(tmp_path / "run", source=str(finish(make_phantom(cases=4))), cases=None,
                        labels={"1": "tumor"})  # fmt: skip
    session.open()
    with pytest.raises(SettingError, match="label values of its own"):
        session.wait()
    session.close()


def test_all_slices_of_a_cohort_labeled_in_part_can_be_candidates(tmp_path):
    source = Path(shutil.copytree(finish(make_phantom(cases=6)), tmp_path / "partly"))
    labels = sorted(source.rglob("*seg*.nii*"))
    for path in labels[3:]:
        path.unlink()
    plain = a_session(tmp_path / "plain", source=str(source), cases=None)
    plain.open()
    plain.wait()
    assert not plain.pool.eligible.all()
    assert 'candidates = "all"' in " ".join(plain.log)
    plain.close()
    every = a_session(tmp_path / "every", source=str(source), cases=None, candidates="all")
    every.open()
    every.wait()
    assert every.pool.eligible.all()
    assert every.test_cases
    every.close()
