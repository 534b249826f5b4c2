"""A site file: a model's calibration for one site, made by `edge-cxr calibrate`.

It replaces some parts of the model's manifest: calibration, operating points, overall score, usual
frequencies and the reference of percentiles. Answers are made from these as ever.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from edge_app.core import strict_json
from edge_app.core.errors import InvalidError, ModelError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.model import manifest as manifests
from edge_app.model.decisions import Share

if TYPE_CHECKING:
    from edge_app.model.model_file import ModelFile
    from edge_app.model.site_types import SiteDocument

KIND: Final = "edge-cxr site file"
SCHEMA_VERSION: Final = 2
"""Version 1 has no findings that bound the image-level probability."""
MAX_BYTES: Final = 4 << 20
REPLACED: Final = frozenset(
    {
        *("calibration", "prevalence", "operating_points", "default_operating_point"),
        *("overall", "reference"),
    }
)
"""Parts of a manifest that a site file replaces, or removes if it does not state them."""


class Site(NamedTuple):
    """A site file that was read and validated.

    Attributes:
        path: of the file.
        content: see `site_types`.
    """

    path: Path
    content: SiteDocument

    @property
    def digest(self) -> str:
        """SHA-256 over its content, which answers state."""
        return self.content["digest"]

    @property
    def ppv(self) -> list[Share | None]:
        """Each label's positive predictive value at its threshold; None if it is not known."""
        found = (
            each["performance"] and each["performance"]["ppv"] for each in self.content["labels"]
        )
        return [Share.of(each) if each else None for each in found]

    def require(self, model: ModelFile) -> None:
        """Raise a ModelError if this is another model's site file.

        Files of earlier versions name only the network, which is enough unless it was imported.
        """
        stated = self.content["model"]
        if stated["sha256"] != model.sha256:
            raise ModelError(
                f"{self.path}: is for {stated['name']} {stated['sha256'][:8]}, not for "
                f"{model.name} {model.sha256[:8]}: answer with that model, calibrate this one, or "
                "go without a site file"
            )
        scoring = stated.get("scoring")
        if scoring != model.scoring and (scoring is not None or model.imported):
            raise ModelError(
                f"{self.path}: is for {stated['name']} as it was packaged otherwise: "
                f"{model.name} is shown other gray levels, or its outputs are read otherwise: "
                "evaluate and calibrate it again, or go without a site file"
            )
        if tuple(each["label"] for each in self.content["labels"]) != model.labels.names:
            raise ModelError(
                f"{self.path}: is for other labels, or another order of them, than {model.name} "
                "has: calibrate this model, or go without a site file"
            )

    def applied(self, model: ModelFile) -> ModelFile:
        """The model as it answers at this site.

        Raises:
            ModelError: the file is another model's, or does not fit this one.
        """
        self.require(model)
        kept = {key: part for key, part in model.manifest.items() if key not in REPLACED}
        decisions = self.content["decisions"]
        manifest = {**kept, **decisions}
        try:
            manifests.check(manifest)
        except ModelError as error:
            raise ModelError(f"{self.path}: {error}") from None
        return model._replace(manifest=cast("Any", manifest))


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 over the JSON of all but the digest, with sorted keys and no blanks."""
    stated = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(stated, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(content: dict[str, Any]) -> SiteDocument:
    """A site file's content with its digest, with the types that JSON returns."""
    plain = json.loads(json.dumps(content, allow_nan=False))
    return cast("SiteDocument", {**plain, "digest": digest_of(plain)})


def read(path: Path) -> Site:
    """Read a site file and validate all that can be validated without its model.

    Raises:
        ModelError: one line that names the file and what is wrong with it.
    """
    from edge_app.model import site_check_generated

    try:
        content = strict_json.parse(read_bounded(path, MAX_BYTES))
        if not isinstance(content, dict) or content.get("kind") != KIND:
            raise ModelError(f"{path}: is no {KIND}: edge-cxr calibrate makes one")
        version = content.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ModelError(f"{path}: has version {version}: update edge-cxr to use it")
        if content.get("digest") != digest_of(content):
            raise ModelError(f"{path}: was changed after it was made: calibrate again")
        site_check_generated.validate(content)
    except UnreadableError as error:
        raise ModelError(f"{path}: {error}") from None
    except InvalidError as error:
        raise ModelError(f"{path}: is damaged: {str(error)[:200]}") from None
    except ValueError as error:
        raise ModelError(f"{path}: is no JSON: {str(error)[:200]}") from None
    return Site(path, cast("SiteDocument", content))


def announcement(site: Site) -> str:
    """The message when a site file decides that was not named in the command."""
    return f"{site.path} decides (site file {site.digest[:16]}); --site none goes without it"
