"""An answer in two words and a map: what a list of many images shows, and a picture's colours need.

They are kept beside the answer, so that a list is sorted and filtered without reading answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.clinic.image_file import UNJUDGED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WAITING: Final = "waiting"
FLAGGED: Final = "flagged"
CLEAR: Final = "clear"
SCORED: Final = "scored"
WITHHELD: Final = "withheld"
BLANK: Final = "blank"
UNREADABLE: Final = "unreadable"
UNANSWERED: Final = "unanswered"

STATES: Final = (WAITING, FLAGGED, CLEAR, SCORED, WITHHELD, BLANK, UNREADABLE, UNANSWERED)
"""States of an image: not yet answered; at or above the operating point, or below it; scored by a
model that decides on no image as a whole; not judged, for one of three reasons; not answered,
because the box lacked something for it or lost it."""


class Summary(NamedTuple):
    """What is kept of an answer beside it.

    Attributes:
        state: one of `STATES`, and not the first.
        score: the probability that the image is not normal, 0 to 1; None where that is not said.
        map: h×w×L float32 as a `.npy` file; None without a map.
    """

    state: str
    score: float | None = None
    map: bytes | None = None


def summary_of(answer: Mapping[str, Any], activation: NDArray[np.float32] | None = None) -> Summary:
    """What is kept of an answer.

    Args:
        answer: the object that `classify --json` prints.
        activation: the map of the network, where there is one.
    """
    if "error" in answer:
        return Summary(UNANSWERED if answer["error"].get("kind") in UNJUDGED else UNREADABLE)
    if answer["blank"]:
        return Summary(BLANK)
    if not answer["findings"]:
        return Summary(WITHHELD)
    kept = None if activation is None else packed(activation)
    overall = answer.get("overall")
    if not overall:
        return Summary(SCORED, None, kept)
    decided = {True: FLAGGED, False: CLEAR, None: SCORED}[overall["flagged"]]
    return Summary(decided, overall["probability"], kept)


def packed(activation: NDArray[np.float32]) -> bytes:
    """A map as bytes."""
    import numpy as np

    file = BytesIO()
    np.save(file, activation, allow_pickle=False)
    return file.getvalue()


def unpacked(data: bytes) -> NDArray[np.float32]:
    """The map in what `packed` made."""
    import numpy as np

    read: NDArray[np.float32] = np.load(BytesIO(data), allow_pickle=False)
    return read
