"""Words on a model's operating point."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from edge_app.pipeline.words import promises


def promised(on: str) -> str:
    """The line on an operating point whose test images are called so."""
    share = {"value": 0.5}
    test = {"on": on, "sensitivity": share, "specificity": share}
    point = {"sensitivity": 0.4, "specificity": 0.9, "test": test}
    points = SimpleNamespace(name="one-in-ten")
    classifier: Any = SimpleNamespace(image_point=point, site=None, points=points)
    return next(promises(classifier))


def test_test_images_are_other_patients_only_where_patients_are_known() -> None:
    known = promised("test, 90 images of 30 patients")
    assert "of other patients' images (test, 90 images of 30 patients) flags" in known
    unknown = promised("test, 90 images, patients not known")
    assert "of other images (test, 90 images, patients not known) flags" in unknown
