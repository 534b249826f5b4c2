"""Which thresholds decide: one for the image as a whole, and one for each label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.core.errors import UsageError

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest

PER_LABEL: Final = "per-label:"
"""Begins the name of a point that decides label by label, where the image has one of that name."""


class OperatingPoints(NamedTuple):
    """The points in use.

    Attributes:
        name: of the one that decides, such that `chosen` finds it again.
        image: flags images; None where each label is decided by itself alone.
        label: whose thresholds the labels have.
    """

    name: str
    image: str | None
    label: str


def chosen(manifest: Manifest, name: str | None) -> OperatingPoints:
    """The points that a name stands for.

    Args:
        manifest: the model's.
        name: of an image-level point, or of one that decides label by label; an image-level one
            goes first, `PER_LABEL` before the other's name tells them apart. The model's default
            if None.

    Raises:
        UsageError: the model has no such point; the message names those that it has.
    """
    by_label, default = manifest["operating_points"], manifest["default_operating_point"]
    overall = manifest.get("overall")
    by_image = overall["operating_points"] if overall else {}
    if name is None:
        name = overall["default_operating_point"] if overall else default
    if name in by_image:
        return OperatingPoints(name, name, default)
    label, prefix = name.removeprefix(PER_LABEL), PER_LABEL if by_image else ""
    if label in by_label:
        return OperatingPoints(prefix + label, None, label)
    names = [*by_image, *(prefix + each for each in by_label)]
    raise UsageError(
        f"{manifest['name']} has no operating point {name!r}; it has: {', '.join(names)}"
    )


def per_label(name: str | None) -> str | None:
    """The name of the point of labels, where only their thresholds can be chosen.

    A report holds what every image-level point reaches.
    """
    return name and PER_LABEL + name.removeprefix(PER_LABEL)
