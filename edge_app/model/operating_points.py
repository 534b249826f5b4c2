"""Choosing the thresholds that decide, for the image as a whole and for each label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.core.errors import UsageError

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest

PER_LABEL: Final = "per-label:"
"""Prefix of a label's operating point where an image-level one may have the same name."""


class OperatingPoints(NamedTuple):
    """The points in use.

    Attributes:
        name: of the deciding one, as `chosen` takes it.
        image: the point that flags images; None if each label is decided by itself.
        label: the point with the labels' thresholds.
    """

    name: str
    image: str | None
    label: str


def chosen(manifest: Manifest, name: str | None) -> OperatingPoints:
    """The operating points for a name.

    Args:
        manifest: the model's.
        name: of an image-level point, or of one that decides label by label; of two with the same
            name, `PER_LABEL` before it chooses the latter. None for the model's default.

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
    """A point's name with `PER_LABEL`, for commands where only labels' thresholds can be chosen.

    Reports need no choice of an image-level point: they hold what every one reaches.
    """
    return name and PER_LABEL + name.removeprefix(PER_LABEL)
