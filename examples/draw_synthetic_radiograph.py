"""Draw the synthetic chest radiograph that the examples score.

python examples/draw_synthetic_radiograph.py examples/synthetic-radiograph.png
python examples/draw_synthetic_radiograph.py examples/synthetic-radiograph.dcm --size 512
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from edge_app.images.phantom import synthetic_radiograph

DESCRIPTION = (
    "SYNTHETIC chest radiograph, drawn from formulas by edge-cxr (size {size}, seed {seed}). "
    "Contains no patient data. Not for evaluation."
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a synthetic chest radiograph.")
    parser.add_argument("output", type=Path, help="the PNG file to write; DICOM if it is a .dcm")
    parser.add_argument("--seed", type=int, default=0, help="which anatomy and noise (default: 0)")
    parser.add_argument("--size", type=int, default=1024, help="pixels per side (default: 1024)")
    args = parser.parse_args()
    try:
        pixels = synthetic_radiograph(args.size, args.seed)
    except ValueError as error:
        parser.error(str(error))
    description = DESCRIPTION.format(size=args.size, seed=args.seed)
    write = write_dicom if args.output.suffix == ".dcm" else write_png
    write(pixels, description, args.output)


def write_png(pixels: NDArray[np.uint8], description: str, path: Path) -> None:
    text = PngInfo()
    text.add_text("Description", description)
    Image.fromarray(pixels).save(path, format="PNG", pnginfo=text, optimize=True)


def write_dicom(pixels: NDArray[np.uint8], description: str, path: Path) -> None:
    """A Computed Radiography image of a patient that does not exist, uncompressed."""
    from pydicom.dataset import Dataset
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

    image = Dataset()
    image.SOPClassUID, image.Modality = ComputedRadiographyImageStorage, "CR"
    # The same picture has the same UIDs, whoever draws it.
    uids = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    for name in uids:
        setattr(image, name, generate_uid(entropy_srcs=[name, description]))
    image.PatientName, image.PatientID = "Example^Synthetic", "EXAMPLE-1"
    image.StudyDescription, image.ImageComments = "Chest PA", description
    image.BodyPartExamined, image.ViewPosition, image.PatientOrientation = "CHEST", "PA", ["L", "F"]
    image.StudyDate, image.StudyTime = "20260101", "120000"
    image.StudyID, image.SeriesNumber, image.InstanceNumber = "1", 1, 1
    for name in ("AccessionNumber", "Manufacturer", "PatientBirthDate"):
        setattr(image, name, "")
    image.PatientSex = image.ReferringPhysicianName = ""
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.add_new("PixelData", "OB", pixels.tobytes())
    image.ensure_file_meta()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.save_as(path, enforce_file_format=True)


if __name__ == "__main__":
    main()
