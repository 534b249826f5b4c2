"""C-STORE of encoded data sets, over an association that sleeps until there is something to do.

pynetdicom parses and encodes a data set anew to send it, takes any answer for the one to what was
sent last, and looks a thousand times a second whether its peer wants something.
"""

from __future__ import annotations

import threading
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_STORE

if TYPE_CHECKING:
    from pydicom import Dataset
    from pynetdicom.association import Association

TICK: Final = 0.1
"""Seconds after which the association's thread looks whether the peer has ended it."""

LOW: Final = 2
"""The priority of what is sent (PS3.7 9.1.1.1.6): a modality's images go first."""

MESSAGE_NUMBERS: Final = 1 << 16


class WaitingMessages(DIMSEServiceProvider):
    """Messages of an association that only asks: what comes is an answer to who waits for it.

    Attributes:
        called: set when the association's thread is to look around at once.
    """

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self.called = threading.Event()
        self._number = 0

    def next_number(self) -> int:
        """A message's number, which no recent message has."""
        self._number = (self._number + 1) % MESSAGE_NUMBERS
        return self._number

    def get_msg(self, block: bool = False) -> Any:
        """See pynetdicom; its own thread, which does not block, sleeps here between two looks."""
        if block:
            return super().get_msg(block=True)
        self.called.wait(TICK)
        self.called.clear()
        asks = not self.assoc._reactor_checkpoint.is_set()
        return (None, None) if asks else super().get_msg(block=False)


def is_open(association: Any) -> bool:
    """Whether something can be sent: pynetdicom waits for ever for a thread that has failed."""
    return bool(association.is_established and association.is_alive())


def pause(association: Any) -> None:
    """Stop the association's own thread from taking what arrives.

    Raises:
        RuntimeError: that thread has failed.
    """
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        if not association.is_alive():  # who has failed does not pause any more
            raise RuntimeError("the association has ended")
        association.dimse.called.set()
        time.sleep(0.0001)


def store(association: Any, context: int, names: tuple[str, str], data_set: bytes) -> Dataset:
    """Send an object, and wait for its answer.

    Args:
        association: of a `Requestor`. One thread sends over it.
        context: of the accepted presentation contexts, in whose transfer syntax the object is.
        names: its SOP class and instance.
        data_set: without preamble and file meta information.

    Returns:
        The status and what belongs to it; empty where the association ends without one, or what
        comes is no answer to this.

    Raises:
        RuntimeError: the association has ended.
    """
    from pydicom import Dataset

    if not is_open(association):
        raise RuntimeError("the association has ended")
    request = C_STORE()
    request.MessageID = association.dimse.next_number()
    request.Priority = LOW
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = names
    request.DataSet = BytesIO(data_set)
    pause(association)
    try:
        association.dimse.send_msg(request, context)
        _, answer = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    if answer is None:
        association._handle_no_response()
        return Dataset()
    if not isinstance(answer, C_STORE) or answer.MessageIDBeingRespondedTo != request.MessageID:
        association.abort()
        return Dataset()
    status: Dataset = association._check_received_status(answer)
    return status
