"""What reports, manifests and run configurations say about their images."""

from __future__ import annotations

from edge_app.core.plain_text import printable
from edge_app.evaluation.splits import NO_PATIENTS
from train.cache import Cached
from train.data_types import DataFacts, FurtherFacts, ImageFacts


def dataset_facts(cached: Cached, split: str) -> ImageFacts:
    """Name, digest, counts and notes of a split's images."""
    facts: ImageFacts = {
        "name": cached.name,
        "split": split,
        "digest": cached.digest,
        "images": len(cached),
        "patients": int(cached.table["patient"].nunique()),
    }
    notes = [*([] if cached.tells_patients else [NO_PATIENTS]), *cached.notes]
    return {**facts, "notes": notes} if notes else facts


def further_facts(training: Cached) -> DataFacts:
    """What is said of data sets that only train, see `datasets.joined`; empty without any.

    `own` is the digest of the other training images, whose data set also validates and tests.
    """
    parts = [(each, training.of_data_set(i)) for i, each in enumerate(training.further, 1)]
    found: list[FurtherFacts] = [
        {
            "name": each.name,
            "origin": each.origin,
            "apart": each.apart,
            "unlabelled": each.unlabelled,
            "tells_patients": each.tells_patients,
            "images": len(part),
            "patients": int(part.table["patient"].nunique()),
            "digest": part.digest,
        }
        for each, part in parts
        if len(part)
    ]
    return {"own": training.of_data_set(0).digest, "further": found} if found else {}


def shared_files(images: Cached, others: Cached, does: str = "train") -> list[str]:
    """A warning if some images are the same files as images of another split; empty if none.

    Args:
        images: to be judged on.
        others: the images of the other split.
        does: what the other split does, for the message.
    """
    shared = images.table["image"][images.table["sha256"].isin(others.table["sha256"])].tolist()
    if not shared:
        return []
    return [
        f"{len(shared)} of these images are files that also {does}, such as "
        f"{printable(shared[0])}: take them out, or what is measured is too good"
    ]
