"""Media with a DICOMDIR, as pydicom writes them, and as an enemy would."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_app.archive.listing import Listing
from edge_app.archive.medium import images_in
from edge_app.core.errors import DatasetError

from ..conftest import Run

pydicom = pytest.importorskip("pydicom", reason="pip install 'edge-cxr[dicom]'")
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")  # it is the enemy's


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A medium of three radiographs and a viewer that its DICOMDIR does not name."""
    from pydicom.fileset import FileSet
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    media = FileSet()
    for number in range(3):
        image = pydicom.Dataset()
        image.file_meta = pydicom.dataset.FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID = DigitalXRayImageStorageForPresentation
        image.SOPInstanceUID = f"1.2.3.{number}"
        image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.3.10", f"1.2.3.2{number}"
        image.PatientID, image.PatientName, image.StudyID = "1", "A^B", "1"
        image.StudyDate, image.StudyTime, image.Modality = "20260101", "120000", "DX"
        image.SeriesNumber, image.InstanceNumber = number, number
        image.PhotometricInterpretation, image.SamplesPerPixel = "MONOCHROME2", 1
        image.Rows = image.Columns = 64
        image.BitsAllocated = image.BitsStored = 8
        image.HighBit, image.PixelRepresentation = 7, 0
        image.PixelData = np.full(64 * 64, 40 * number + 9, np.uint8).tobytes()
        media.add(image)
    folder = tmp_path_factory.mktemp("media") / "disc"
    media.write(folder)
    (folder / "viewer.exe").write_bytes(b"MZ")
    return folder


def changed(medium: Path, place: Path, change: Callable[[pydicom.Dataset], None]) -> Path:
    directory = pydicom.dcmread(medium / "DICOMDIR")
    change(directory)
    place.mkdir(exist_ok=True)
    directory.save_as(place / "DICOMDIR")
    return place / "DICOMDIR"


def first_image(directory: pydicom.Dataset) -> pydicom.Dataset:
    records = directory.DirectoryRecordSequence
    return next(each for each in records if each.DirectoryRecordType == "IMAGE")


def test_a_dicomdir_stands_for_the_images_that_it_names(
    run: Run, medium: Path, tmp_path: Path
) -> None:
    found = list(images_in(str(medium / "DICOMDIR")))
    files = {str(path) for path in medium.rglob("*") if path.is_file()}
    assert set(found) == files - {str(medium / "DICOMDIR"), str(medium / "viewer.exe")}
    assert len(found) == 3
    pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")
    done = run("archive", medium / "DICOMDIR", "--out", tmp_path / "a", "--model", "cxr-cnn28")
    assert "3  sources answered" in done.stdout, done.stderr


def test_a_folder_that_holds_one_is_gone_through_whole(medium: Path) -> None:
    listing = Listing([str(medium)])
    assert len(list(listing)) == 4  # an incomplete DICOMDIR would hide images
    assert listing.left_out == 1


def test_names_in_lower_case_are_found_and_deleted_records_passed_over(
    medium: Path, tmp_path: Path
) -> None:
    def delete(directory: pydicom.Dataset) -> None:
        first_image(directory).RecordInUseFlag = 0

    where = changed(medium, tmp_path, delete)
    named = [os.path.relpath(each, medium) for each in images_in(str(medium / "DICOMDIR"))][1:]
    for name in named:
        (tmp_path / name.lower()).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name.lower()).touch()
    assert list(images_in(str(where))) == [str(tmp_path / name.lower()) for name in named]


@pytest.mark.parametrize(
    "name", [["..", "a"], ["/etc/passwd"], ["a", ".", "b"], ["a/../../b"], ["A"] * 9]
)
def test_a_way_out_of_its_folder_is_refused(medium: Path, tmp_path: Path, name: list[str]) -> None:
    def lead_away(directory: pydicom.Dataset) -> None:
        first_image(directory).ReferencedFileID = name

    with pytest.raises(DatasetError, match="names a file outside its folder"):
        list(images_in(str(changed(medium, tmp_path, lead_away))))


def test_a_link_out_of_its_folder_is_refused(medium: Path, tmp_path: Path) -> None:
    def lead_away(directory: pydicom.Dataset) -> None:
        first_image(directory).ReferencedFileID = ["AWAY", "1"]

    where = changed(medium, tmp_path / "disc", lead_away)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "disc" / "AWAY").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="names a file outside its folder: AWAY/1"):
        list(images_in(str(where)))


def test_what_is_damaged_or_no_dicomdir_is_said(medium: Path, tmp_path: Path) -> None:
    whole = (medium / "DICOMDIR").read_bytes()
    where = tmp_path / "DICOMDIR"
    for content, words in (
        (b"", "is no DICOM directory"),
        (b"\0" * 128 + b"DICM" + b"\xff" * 50, "damaged DICOM file|is no DICOM directory"),
        (whole[:400], "damaged DICOM file|is no DICOM directory"),
    ):
        where.write_bytes(content)
        with pytest.raises(DatasetError, match=words):
            list(images_in(str(where)))
    with pytest.raises(DatasetError, match="no such file"):
        list(images_in(str(tmp_path / "none" / "DICOMDIR")))


def test_no_damage_ends_in_anything_but_names_within_or_a_refusal(
    medium: Path, tmp_path: Path
) -> None:
    whole = bytearray((medium / "DICOMDIR").read_bytes())
    rng = np.random.default_rng(3)
    where = tmp_path / "DICOMDIR"
    for _ in range(150):
        broken = bytearray(whole)
        for place in rng.integers(128, len(broken), 4):
            broken[place] = rng.integers(256)
        where.write_bytes(broken)
        try:
            found = list(images_in(str(where)))
        except DatasetError:
            continue
        assert all(os.path.realpath(each).startswith(f"{tmp_path}/") for each in found)
