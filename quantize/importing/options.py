"""What a user writes on the command line of the import → what it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from edge_app.core.errors import UsageError
from edge_app.model.preprocess import CROP, PAD, STRETCH
from quantize.importing.network import NetworkOptions

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

RULES: Final = {"stretch": STRETCH, "pad": PAD, "crop": CROP}
HEADS: Final = ("independent", "exclusive")
CHECKS: Final = ("shipped", "none")
LONGEST: Final = 200


def network_options(
    size: str, mean: str, std: str, resize: str, head: str, output: str
) -> NetworkOptions:
    """The options as one value; an empty text is an option that is not given.

    Raises:
        UsageError: one of them does not exist.
    """
    if resize not in RULES:
        raise UsageError(f"--resize {resize}: there are {', '.join(RULES)}")
    if head and head not in HEADS:
        raise UsageError(f"--head {head}: there are {' and '.join(HEADS)}")
    return NetworkOptions(
        _size(size),
        _numbers("--mean", mean),
        _numbers("--std", std),
        RULES[resize],
        cast("Head", head) if head else None,
        output or None,
    )


def checked_of(input_check: str) -> bool:
    """The value of `--input-check`.

    Raises:
        UsageError: there is no such value.
    """
    if input_check not in CHECKS:
        raise UsageError(f"--input-check {input_check}: there are {' and '.join(CHECKS)}")
    return input_check == CHECKS[0]


def _size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text)
    if not found:
        raise UsageError(f"--size {text}: write pixels, 160, or height and width, 160x192")
    return int(found[1]), int(found[2] or found[1])


def _numbers(option: str, text: str) -> tuple[float, ...] | None:
    if not text:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} {text}: write a number, or one a channel such as 123.7,116.3,103.5"
        ) from None


def facts_of(**facts: str) -> dict[str, str]:
    """What the user states of a network, fit for a manifest.

    Raises:
        UsageError: a text is too long or cannot be printed.
    """
    for key, text in facts.items():
        if len(text) > LONGEST or not text.isprintable():
            raise UsageError(
                f"--{key.replace('_', '-')}: write at most {LONGEST} printable letters on one line"
            )
    return facts
