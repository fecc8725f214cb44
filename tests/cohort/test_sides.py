from __future__ import annotations

import pytest

from workbench.cohort.sides import mirrored_classes


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("background", "edema", "core"), (0, 1, 2)),
        (("background", "left thalamus", "brain stem", "Right Thalamus"), (0, 3, 2, 1)),
        (("background", "Lung_L", "Lung_R", "SpinalCord"), (0, 2, 1, 3)),
        (("background", "kidney_right", "kidney_left"), (0, 2, 1)),
        (("background", "lh-cortex", "rh-cortex"), (0, 2, 1)),
        (("background", "Liver", "gallbladder", "Frontal pole"), (0, 1, 2, 3)),  # r, l in words
    ],
)
def test_the_two_sides_of_a_structure_are_swapped(classes, expected):
    assert mirrored_classes(classes, "axial") == expected
    assert mirrored_classes(classes, "coronal") == expected


def test_a_sagittal_slice_has_its_sides_beyond_its_plane():
    assert mirrored_classes(("background", "Lung_L", "Lung_R"), "sagittal") == (0, 1, 2)


def test_a_side_without_its_partner_can_not_be_mirrored():
    assert mirrored_classes(("background", "left kidney", "liver"), "axial") is None
