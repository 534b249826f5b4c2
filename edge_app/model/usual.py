"""The words for what "usually" and "normal images" mean in an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from edge_app.core.plain_text import percent
from edge_app.model.labels import Labels

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest
    from edge_app.model.site import Site

NORMAL_IMAGES: Final = "normal images"
"""The words for a reference's images of unknown origin."""

AT_SITE: Final = " of this site"
"""The end of a site file's description of its images."""

NEVER_FLAGGED: Final = (
    "none of this network's labels stands for a normal image, so no image is flagged"
)
"""Said of exclusive labels without a normal one, one of which always applies."""


def referred_to(manifest: Manifest, site: Site | None = None, usual: bool = True) -> Iterator[str]:
    """Lines that explain what is usual and what is normal, as far as the model states it.

    Args:
        manifest: of the model, or of the model as it answers at a site.
        site: the site.
        usual: whether usual frequencies are shown.
    """
    overall = manifest.get("overall")
    if manifest["head"] == "exclusive" and Labels.of(manifest["labels"]).normal is None:
        yield NEVER_FLAGGED
    parts = []
    images = (overall["fitted_on"] if overall else manifest["calibration"]["fitted_on"]) or ""
    if usual and (overall or manifest.get("prevalence")):
        if site and site.content["prevalence"]["stated"]:
            share = percent(site.content["decisions"]["overall"]["usually"])
            among = f"at this site, where {share} of images are said to be not normal"
        elif site:
            among = f"at this site ({images.removesuffix(AT_SITE)})"
        else:
            among = f"among the images the model was calibrated on ({images})"
        parts.append(f"probability, usually: {among}")
    if reference := manifest.get("reference"):
        normal = reference["images"].removesuffix(AT_SITE)
        if parts and normal.endswith(f" normal images of {images}"):
            normal = f"{normal.removesuffix(f' normal images of {images}')} normal ones among them"
        parts.append(f"higher than: at least so many of the {normal}")
    if parts:
        yield "; ".join(parts)


def normal_images(manifest: Manifest) -> str:
    """The images of a model's reference in words, as far as their origin is known."""
    images = manifest["reference"]["images"] if "reference" in manifest else ""
    if images.endswith(AT_SITE):
        return f"{NORMAL_IMAGES}{AT_SITE}"
    return "normal validation images" if " of validation," in images else NORMAL_IMAGES


def of_normal(share: float) -> str:
    """At least how many normal images score lower, as ``96 of 100`` or ``all``."""
    if share >= 1:
        return "all"
    percent = f"{100 * share:.3g}"
    return f"{percent} of 100" if "." not in percent else f"{1000 * share:.0f} of 1,000"
