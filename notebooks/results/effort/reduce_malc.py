"""Make a small cohort of MALC: CSF, GM and WM at 2 mm, every fourth axial slice, MSD layout.

python notebooks/results/effort/reduce_malc.py ../shared/data/malc data/malc-reduced
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from workbench.cohort.cohort import CohortOptions
from workbench.cohort.label_maps import read_classes
from workbench.cohort.opening import open_cohort
from workbench.cohort.preprocess import resample
from workbench.cohort.resample import read_case
from workbench.files import write_json
from workbench.jobs import finish

SPACING, EVERY = 2.0, 4


def main(source: Path, target: Path) -> None:
    """Reduce every case of `source` into the folder `target`."""
    cohort = finish(open_cohort(source, options=CohortOptions(task="tissues")))
    for case in cohort.cases:
        volume = read_case(case, cohort)
        classes, _ = read_classes(case, cohort, volume.data.shape[1:], volume.affine)
        have = tuple(float(mm) for mm in volume.spacing)
        image, reached = resample(volume.data, have, (SPACING,) * 3, order=1)
        labels, _ = resample(classes, have, (SPACING,) * 3, order=0)
        factors = np.array(reached) / have
        affine = volume.affine @ np.diag([*factors, 1.0])
        affine[:3, 3] += volume.affine[:3, :3] @ ((factors - 1) / 2)  # outer edges stay in place
        affine = affine @ np.diag([1.0, 1.0, EVERY, 1.0])
        for name, voxels in (("imagesTr", image[0]), ("labelsTr", labels)):
            path = target / name / f"{case.id}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(voxels[:, :, ::EVERY], affine), path)
    names = {str(value): name for value, name in enumerate(cohort.classes)}
    described = {"name": target.name, "modality": {"0": "T1"}, "labels": names}
    write_json(target / "dataset.json", described)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
