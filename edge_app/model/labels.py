"""The labels of a model's outputs, channel by channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import LabelEntry

Kind = Literal["finding", "normal"]
FINDING: Final = "finding"
NORMAL: Final = "normal"
KINDS: Final[tuple[Kind, ...]] = (FINDING, NORMAL)

NORMAL_OF_VERSION_1: Final = "No Finding"
"""The normal label in models and reports of version 1, which state no kinds."""


class Code(NamedTuple):
    """A label's code in a public terminology.

    Attributes:
        scheme: of the code, as DICOM names it: ``SCT``, ``RADLEX``.
        value: the code.
        meaning: its preferred name there.
    """

    scheme: str
    value: str
    meaning: str


class Label(NamedTuple):
    """The label of one channel of a model.

    Attributes:
        name: unique in its model.
        kind: ``finding``, or ``normal`` for the absence of all findings.
        code: None if the model states none.
    """

    name: str
    kind: Kind = FINDING
    code: Code | None = None


class Labels(tuple[Label, ...]):
    """A model's labels in the order of its channels."""

    __slots__ = ()

    @classmethod
    def of(cls, entries: Iterable[LabelEntry | Mapping[str, Any]]) -> Labels:
        """The labels that a manifest states."""
        return cls(
            Label(
                entry["name"], entry["kind"], Code(**entry["code"]) if entry.get("code") else None
            )
            for entry in entries
        )

    def entries(self) -> list[LabelEntry]:
        """The labels as a manifest states them."""
        entries: list[LabelEntry] = []
        for label in self:
            entry: LabelEntry = {"name": label.name, "kind": label.kind}
            if label.code:
                scheme, value, meaning = label.code
                entry["code"] = {"scheme": scheme, "value": value, "meaning": meaning}
            entries.append(entry)
        return entries

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the order of the channels."""
        return tuple(label.name for label in self)

    @property
    def findings(self) -> tuple[int, ...]:
        """Channels of the findings: what the field's "mean AUROC" is taken over."""
        return tuple(i for i, label in enumerate(self) if label.kind == FINDING)

    @property
    def normal(self) -> int | None:
        """Channel of the normal label; None if the model has none."""
        return next((i for i, label in enumerate(self) if label.kind == NORMAL), None)

    def not_normal(self, targets: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of N images are not normal, by their labels (N×L, of 0 and 1).

        Those with a finding and, if there is a normal label, those without it: they may have
        something that is none of the findings.
        """
        ill: NDArray[np.bool_] = targets[:, self.findings].sum(axis=1) > 0
        return ill if self.normal is None else ill | (targets[:, self.normal] == 0)

    @property
    def all_findings(self) -> str:
        """The findings in words: ``the 14 findings``."""
        count = len(self.findings)
        return "the one finding" if count == 1 else f"the {count} findings"

    @property
    def computable_findings(self) -> str:
        """The findings for which a metric can be computed, in words."""
        count = len(self.findings)
        return (
            "the one finding, if computable"
            if count == 1
            else f"{self.all_findings} that are computable"
        )
