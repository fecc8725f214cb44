"""DICOM files made from known arrays.

``rtstruct_by_rt_utils.dcm`` was drawn by an independent program, rt-utils 1.2.7, on the
series that `write_series` writes with `SQUARE` pixels (rt-utils takes the row distance for
the column distance and the other way round). Run this file where rt-utils is installed to
draw it again (``python -m tests.cohort.dicom_files``); the tests need pydicom alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage

ROOT = "1.2.826.0.1.3680043.8.498.4."
SERIES = ROOT + "1"
FRAME = ROOT + "9"
BY_RT_UTILS = Path(__file__).with_name("rtstruct_by_rt_utils.dcm")
SQUARE = (1.25, 1.25, 3.0)
SPACING, POSITION = (1.5, 1.25, 3.0), (-20.0, -31.0, 112.0)


def ct_array() -> np.ndarray:
    """Hounsfield units, shape (column, row, slice)."""
    rng = np.random.default_rng(0)
    return rng.integers(-1000, 1200, (36, 30, 8)).astype(np.int16)


def organ_masks() -> dict[str, np.ndarray]:
    """Five organs as ellipsoids on the grid of `ct_array`, by names as clinics write them."""
    column, row, slice_ = np.meshgrid(*map(np.arange, ct_array().shape), indexing="ij")

    def ellipsoid(center, radii):
        axes = zip((column, row, slice_), center, radii, strict=True)
        return sum(((a - c) / r) ** 2 for a, c, r in axes) <= 1

    return {
        "Spinal Cord": ellipsoid((18, 25, 4), (2.4, 2.4, 9)),
        "lt lung": ellipsoid((28, 13, 4), (6.3, 9.2, 4.2)),
        "LUNG-RIGHT": ellipsoid((8, 13, 4), (6.3, 9.2, 4.2)),
        "Heart": ellipsoid((18, 8, 4), (3.6, 4.2, 2.2)),
        "Oesophagus": ellipsoid((18, 18, 4), (2.2, 2.2, 9)),
    }


def _file(path: Path, kind: str, number: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = ROOT + number
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = kind, ROOT + number
    made.PatientName, made.PatientID = "Made^Up", "made-up"
    made.PatientBirthDate = made.PatientSex = made.AccessionNumber = ""
    made.StudyDate = made.ContentDate = "20200101"
    made.StudyTime = made.ContentTime = "000000"
    made.StudyID, made.ReferringPhysicianName = "1", ""
    made.StudyInstanceUID = ROOT + "0"
    made.FrameOfReferenceUID = FRAME
    return made


def write_series(
    folder: Path,
    array: np.ndarray,
    *,
    series: str = SERIES,
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    spacing: tuple[float, float, float] = SPACING,
    position: tuple[float, float, float] = POSITION,
) -> list[Path]:
    """Write Hounsfield units, shape (column, row, slice), as a CT series; slices by shuffled name.

    ``spacing`` is column distance, row distance, slice distance.
    """
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    names = np.random.default_rng(1).permutation(array.shape[2])
    files = []
    for index in range(array.shape[2]):
        path = folder / f"{names[index]:03d}.dcm"
        made = _file(path, CTImageStorage, f"{series.split('.')[-1]}.{index + 1}")
        made.Modality, made.SeriesInstanceUID, made.SeriesNumber = "CT", series, 1
        made.InstanceNumber = index + 1
        made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        made.ImageOrientationPatient = list(orientation)
        made.ImagePositionPatient = list(np.array(position) + index * spacing[2] * normal)
        made.PixelSpacing = [spacing[1], spacing[0]]
        made.SliceThickness = spacing[2]
        made.Columns, made.Rows = array.shape[:2]
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.BitsAllocated = made.BitsStored = 16
        made.HighBit, made.PixelRepresentation = 15, 0
        made.RescaleSlope, made.RescaleIntercept, made.RescaleType = 1, -1024, "HU"
        made.PixelData = (array[..., index].T + 1024).astype("<u2").tobytes()
        made.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def write_rtstruct(path: Path, contours: dict[str, list[np.ndarray]], series: str = SERIES) -> Path:
    """Write closed contours, each of shape (points, 3) in DICOM's mm, by structure."""
    made = _file(path, RTStructureSetStorage, "77")
    made.Modality, made.SeriesInstanceUID = "RTSTRUCT", ROOT + "78"
    made.StructureSetLabel = "made"
    made.StructureSetDate, made.StructureSetTime = "20200101", "000000"
    frame, study, one = Dataset(), Dataset(), Dataset()
    one.SeriesInstanceUID = series
    study.RTReferencedSeriesSequence = [one]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = CTImageStorage, ROOT + "0"
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = FRAME, [study]
    made.ReferencedFrameOfReferenceSequence = [frame]
    made.StructureSetROISequence, made.ROIContourSequence = [], []
    for number, (name, lines) in enumerate(contours.items(), 1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, FRAME
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for line in lines:
            contour = Dataset()
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(line)
            contour.ContourData = [f"{value:.4f}" for value in np.ravel(line)]
            drawn.ContourSequence.append(contour)
        made.StructureSetROISequence.append(roi)
        made.ROIContourSequence.append(drawn)
    made.save_as(path, enforce_file_format=True)
    return path


if __name__ == "__main__":
    import tempfile

    from rt_utils import RTStructBuilder

    with tempfile.TemporaryDirectory() as folder:
        write_series(Path(folder), ct_array(), spacing=SQUARE)
        drawn = RTStructBuilder.create_new(dicom_series_path=folder)
        for name, mask in organ_masks().items():
            drawn.add_roi(mask=mask.transpose(1, 0, 2), name=name)
        drawn.save(str(BY_RT_UTILS))
