"""One radiograph → findings: all that `edge-cxr classify` does with a picture once it is read."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_app.backends.choice import open_session
from edge_app.backends.options import BackendOptions
from edge_app.backends.protocol import RawOutputs
from edge_app.core.errors import ModelError
from edge_app.core.steps import Watch, unwatched
from edge_app.images.radiograph import Picture, Radiograph
from edge_app.model.calibration import calibrated
from edge_app.model.cautions import Cautions
from edge_app.model.decisions import Decisions, Finding, mark, reported, worth_of_marks
from edge_app.model.input_check import BLANK, BLANK_RANGE, UNCHECKED, InputCheckResult
from edge_app.model.labels import FINDING
from edge_app.model.model_file import ModelFile
from edge_app.model.operating_points import chosen
from edge_app.model.outputs import pooled
from edge_app.model.overall import Overall, verdict
from edge_app.model.preprocess import CROP, STRETCH, InputSpec, resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import OverallPoint
    from edge_app.model.site import Site

MAX_ASPECT = 1.5
"""Longer side over shorter one; the radiographs trained on were stretched from 1.0 to about 1.3."""


BY_FORCE: Final = "scored by force: means nothing"
"""Said in the verdict on a picture that the input check refuses."""


class Findings(NamedTuple):
    """The answer for one radiograph.

    Attributes:
        findings: one a label of the model, in its order; none where they are withheld.
        map: h×w×L float32, class activation of the L labels in logits: its spatial mean is the
            logits, or what `outputs.pooled` makes of it; None where the model has no map, or the
            findings are withheld.
        warnings: one line each, of the image and of its scoring.
        blank: the picture is (nearly) constant, so its scores mean nothing.
        check: the input check's result; None where the model has no input check.
        heatmap: file, size and peaks of the heatmap, for JSON; None where none was drawn.
        overall: what is said of the radiograph as a whole; None where the model's labels say
            nothing of that, or the findings are withheld.
    """

    findings: tuple[Finding, ...]
    map: NDArray[np.float32] | None
    warnings: tuple[str, ...]
    blank: bool
    check: InputCheckResult | None = None
    heatmap: dict[str, object] | None = None
    overall: Overall | None = None

    @property
    def ranked(self) -> list[Finding]:
        """The findings, the most probable first; the normal label is not among them."""
        return sorted(
            (each for each in self.findings if each.kind == FINDING),
            key=lambda finding: finding.score,
            reverse=True,
        )

    @property
    def by_label(self) -> bool:
        """Whether each label is decided by its own threshold, and nothing the image as a whole."""
        return self.overall is None or self.overall.flagged is None

    @property
    def marked(self) -> list[Finding]:
        """The findings that are raised, or above their own thresholds, the most probable first."""
        return [
            each
            for each in self.ranked
            if mark(each.score, each.usually, each.above, self.by_label)
        ]

    @property
    def marks(self) -> bool:
        """Whether one could be marked: the model tells what is usual, or has the thresholds."""
        of = "threshold" if self.by_label else "usually"
        return any(getattr(each, of) is not None for each in self.ranked)

    @property
    def verdict(self) -> list[str]:
        """The answer in a few words; see `overall.verdict`. It is not for what is withheld."""
        names = [each.name for each in self.marked]
        words = verdict(self.overall, names if self.marks else None)
        return [BY_FORCE, *words] if self.check and self.check.flagged else words

    @property
    def caution(self) -> str | None:
        """What is said right under the verdict; see `Overall.caution`."""
        return self.overall.caution(bool(self.marked)) if self.overall else None

    @property
    def withheld(self) -> str | None:
        """Why there are no findings; None where there are."""
        return self.check.reason if self.check and not self.findings else None


class Classifier:
    """A model ready to answer.

    Args:
        model: see `model_file.read`.
        operating_point: see `operating_points.chosen`.
        options: which backend and how many threads; None: what works best on this machine.
        force: score what the input check flags, too.
        site: what the answers mean at a place, for which it takes the place of the model's own.

    Attributes:
        labels: the model's.
        spec: the input of its network.
        options: which backend was requested.
        session: what computes.
        choice: why that backend was chosen.
        points: which thresholds decide.
        cautions: what is said under its verdicts.
        site: the site file; None where the model decides as it came.

    Raises:
        ModelError: the model is damaged, or no backend accepts it.
        RuntimeUnavailableError: the requested backend, or every backend, does not work here.
        UsageError: there is no such operating point or backend.
    """

    def __init__(
        self,
        model: ModelFile,
        operating_point: str | None = None,
        options: BackendOptions | None = None,
        *,
        force: bool = False,
        site: Site | None = None,
    ) -> None:
        self.site = site
        model = site.applied(model) if site else model
        self.model, self.labels, self.spec = model, model.labels, model.input_spec
        self._to_tensor = model.to_tensor
        self.points = chosen(model.manifest, operating_point)
        ppv = site.ppv if site else ()
        self.cautions = Cautions.of(self.image_point, site, worth_of_marks(model.manifest))
        self._decisions = Decisions(model.manifest, self.labels, self.points, ppv, self.cautions)
        self.options = options or BackendOptions()
        self.check, self.force = model.input_check, force
        self.open()
        # Made into arrays here, once, and not for every image.
        self._real_logits = model.real("logits")
        self._real_map = model.real("map") if model.has_map else None
        self._pooled = pooled(model.manifest)
        calibration = model.manifest["calibration"]
        self._calibration = {
            name: np.array(calibration[name], np.float64) for name in ("slope", "intercept")
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """One line each for the user: a preferred backend is not used, the model is not signed."""
        origin = self.model.origin
        if origin is None or not origin.signature_missing:
            return self.choice.notes
        return (*self.choice.notes, f"{self.model.path}: {origin.words}")

    @property
    def image_point(self) -> OverallPoint | None:
        """The image-level operating point; None where each label is decided alone."""
        overall = self.model.manifest.get("overall")
        if overall is None or self.points.image is None:
            return None
        return overall["operating_points"][self.points.image]

    @property
    def exclusive(self) -> bool:
        """Whether the backend serves one session at a time, as a device does."""
        return self.session.exclusive

    def duplicate(self) -> Classifier:
        """The same classifier with a session of its own, for another thread."""
        twin = copy(self)
        twin.session, twin.choice = self.session.duplicate(), self.choice
        return twin

    def open(self) -> None:
        """Open a new session, in a process that got the classifier by pickle, without one."""
        self.session, self.choice = open_session(self.model, self.options)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("session", "choice")}

    def logits(self, picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """A picture → logits (L,) and map (h, w, L), if there is one; float32."""
        return self._real(self.session.run(self.tensor(self.resized(picture))))

    def classify(self, image: Radiograph, watch: Watch = unwatched) -> Findings:
        """Score a radiograph if the input check accepts it; `watch` gets each step's name."""
        watch("resize")
        resized = self.resized(image.picture)
        watch("check")
        check = self.judged(image, resized)
        if check and check.flagged and not self.force:
            return Findings((), None, image.warnings, check.kind == BLANK, check)
        watch("quantize")
        tensor = self.tensor(resized)
        watch("invoke")
        raw = self.session.run(tensor)
        watch("finish")
        return self.findings(image, resized, raw, check)

    def judged(self, image: Radiograph, resized: NDArray[np.uint8]) -> InputCheckResult | None:
        """The input check's result for an image; None where the model has no input check."""
        size = image.facts["height"], image.facts["width"]
        return self.check.judge(resized, size) if self.check else None

    def resized(self, picture: Picture) -> NDArray[np.uint8]:
        """The same picture at the network's size."""
        return resize(picture, self.spec)

    def tensor(self, resized: NDArray[np.uint8]) -> NDArray[np.int8] | NDArray[np.float32]:
        """A picture of the network's size → what `session.run` takes."""
        return self._to_tensor(resized)

    def findings(
        self,
        image: Radiograph,
        resized: NDArray[np.uint8],
        raw: RawOutputs,
        check: InputCheckResult | None = None,
    ) -> Findings:
        """Outputs of the network and of the input check → scores, decisions, warnings."""
        logits, activation = self._real(raw)
        scores = calibrated(logits, self._calibration, self.model.head)
        findings, overall = self._decisions.of(logits, scores)
        warnings = [*image.warnings, *([] if self.check else [UNCHECKED])]
        for about in (_aspect_changed, _small):
            if said := about(image.facts["width"], image.facts["height"], self.spec):
                warnings.append(said)
        if self.spec.resize != STRETCH and (aspect := image.facts.get("pixel_aspect")):
            warnings.append(
                f"has pixels {aspect:g} times as high as wide, and the network, which keeps "
                "proportions, sees them square: resample it first"
            )
        blank = _is_blank(resized, check)
        if check and check.reason and not blank:
            warnings.append(f"{check.reason}; its scores mean nothing")
        if blank:
            warnings.append("is blank (nearly one gray level): its scores mean nothing")
        return Findings(
            reported(findings, overall), activation, tuple(warnings), blank, check, overall=overall
        )

    def _real(self, raw: RawOutputs) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        cells = None
        if self._real_map is not None and raw.map is not None:
            cells = self._real_map(raw.map)
        if self._pooled is None:
            logits = self._real_logits(raw.logits)
        elif cells is None:
            raise ModelError(f"{self.model.path}: its logits are pooled from a map that is missing")
        else:
            logits = self._pooled(cells)
        if not np.isfinite(logits).all():
            raise ModelError(f"{self.model.path}: its output is not a number: the model is broken")
        return logits, cells

    def provenance(self) -> dict[str, Any]:
        """For JSON: model, operating point, preprocessing and runtime, to trace a stored result."""
        return {
            "model": {
                "name": self.model.name,
                "sha256": self.model.sha256,
                "digest": self.model.digest,
                "dtype": self.model.precision,
            },
            "site": self.site.digest if self.site else None,
            "operating_point": self.points.name,
            "label_operating_point": self.points.label,
            "preprocessing": self.spec.as_dict(),
            "runtime": {**self.session.as_dict(), **self.choice.as_dict()},
        }


def _aspect_changed(width: int, height: int, spec: InputSpec) -> str | None:
    """The warning about a picture whose shape is far from the network's; None where it is not."""
    across, down = width * spec.height, height * spec.width
    if max(across, down) <= MAX_ASPECT * min(across, down):
        return None
    if spec.resize == STRETCH:
        shape = "a square" if spec.width == spec.height else f"{spec.width}x{spec.height}"
        return f"is {width}x{height}: stretched to {shape} far from what was trained on"
    if spec.resize == CROP:
        return f"is {width}x{height}: the network sees its middle part alone"
    return None


def _small(width: int, height: int, spec: InputSpec) -> str | None:
    """The warning about a picture that is smaller than the network's; None of others."""
    if width >= spec.width and height >= spec.height:
        return None
    needed = f"{spec.width}x{spec.height}"
    enlarged = f"is {width}x{height}, enlarged to the network's {needed}"
    return f"{enlarged}: even more small findings are missed"


def _is_blank(resized: NDArray[np.uint8], check: InputCheckResult | None) -> bool:
    if check:
        return check.kind == BLANK
    return int(resized.max()) - int(resized.min()) < BLANK_RANGE
