"""Results to a DICOM archive by C-STORE, many over one association."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Final

from edge_app.clinic.deliveries import Delivery
from edge_app.clinic.delivering import UndeliveredError
from edge_app.clinic.faults import in_words
from edge_app.clinic.header import read_meta
from edge_app.clinic.identifiers import SECONDARY_CAPTURE
from edge_app.clinic.settings import Receiver, Tls
from edge_app.images.dicom_values import line

if TYPE_CHECKING:
    from pydicom import Dataset
    from pynetdicom.association import Association

CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 60
SUCCESS: Final = 0x0000
STORED_WITH_WARNING: Final = (0xB000, 0xB006, 0xB007)
"""PS3.4 B.2.3: the object was stored; some element of it was changed, left out or is unexpected."""

DUPLICATE: Final = 0x0111
"""PS3.7 C.5.1: there is an object of this UID. UIDs of results are made of what is in them, under a
salt that no other spool has: it is this one."""

COMPREHENSIVE_3D_SR: Final = "1.2.840.10008.5.1.4.1.1.88.34"
IMPLICIT: Final = "1.2.840.10008.1.2"
NATIVE: Final = ("1.2.840.10008.1.2.1", IMPLICIT)


class Archive:
    """The way to an archive. One thread may use it.

    Args:
        receiver: where it is.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.receiver, self.name = receiver, receiver.name
        self._association: Association | None = None

    def deliver(self, delivery: Delivery) -> str | None:
        """See `Carrier`: it is delivered when the archive has answered Success."""
        association = self._associated()
        try:
            answer = self._stored(association, delivery.content)
        except RuntimeError:
            answer = None
        return self._judged(answer)

    def _stored(self, association: Association, content: bytes) -> Dataset:
        """The answer to a C-STORE.

        Raises:
            UndeliveredError: the archive has not accepted the object's class.
        """
        from pydicom.uid import UID

        from edge_app.clinic.c_store import store

        file = BytesIO(content)
        meta = read_meta(file)
        names = str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID)
        contexts = {
            str(each.transfer_syntax[0]): each.context_id
            for each in association.accepted_contexts
            if each.abstract_syntax == names[0]
        }
        own = str(meta.TransferSyntaxUID)
        if own in contexts:
            return store(association, contexts[own], names, content[file.tell() :])
        if IMPLICIT in contexts:
            return store(association, contexts[IMPLICIT], names, _in_implicit_vr(content))
        raise UndeliveredError(f"{self.name} does not accept {UID(names[0]).name}", refused=True)

    def _judged(self, answer: Dataset | None) -> str | None:
        if answer is None or "Status" not in answer:
            self._drop()
            # Perhaps at this very object: others are tried, each by an association of its own.
            raise UndeliveredError("the association ended without an answer", refused=True)
        status = int(answer.Status)
        if status == SUCCESS:
            return None
        words = f"status {status:04X}h"
        if status in STORED_WITH_WARNING:
            return f"stored with {words}"
        if status == DUPLICATE:
            return f"had it already: {words}"
        comment = line(str(answer.get("ErrorComment") or "")).strip()
        raise UndeliveredError(f"{self.name} answered {words}", refused=True, comment=comment)

    def _associated(self) -> Association:
        """The association that is kept, or a new one."""
        from pynetdicom import build_context

        from edge_app.clinic.c_store import is_open
        from edge_app.clinic.upper_layer import Requestor

        if self._association is not None:
            if is_open(self._association):
                return self._association
            self._drop()
        to = self.receiver
        entity = Requestor(ae_title=to.calling)
        entity.acse_timeout = entity.connection_timeout = CONNECT_SECONDS
        entity.dimse_timeout = entity.network_timeout = ANSWER_SECONDS
        classes = (COMPREHENSIVE_3D_SR, *((SECONDARY_CAPTURE,) if to.heatmap else ()))
        entity.requested_contexts = [  # one each, so that both may be accepted
            build_context(sop_class, syntax) for sop_class in classes for syntax in NATIVE
        ]
        try:
            tls = (client_context(to.tls), to.host) if to.tls else None
        except OSError as error:
            raise UndeliveredError(f"its TLS files cannot be used here: {line(error)}") from None
        try:
            association = entity.associate(to.host, to.port, ae_title=to.ae_title, tls_args=tls)
        except socket.gaierror as error:
            why = f"its host {to.host} is not known here: {error.strerror}"
            raise UndeliveredError(why) from None
        if not association.is_established:
            raise UndeliveredError(self._why_not(association, entity.fault))
        self._association = association
        return association

    def _why_not(self, association: Association, fault: OSError | None) -> str:
        where = f"{self.receiver.ae_title} at {self.receiver.host}:{self.receiver.port}"
        if association.is_rejected:
            answer = association.acceptor.primitive
            reason = line(answer.reason_str) if answer else "no reason given"
            return f"{where} rejects the association: {reason}"
        if fault:
            return f"{where} cannot be reached: {in_words(fault)}"
        if association.is_aborted:
            return f"{where} ends the connection, or gives no answer: see what its own log says"
        return f"{where} accepts nothing that would be sent"

    def rest(self) -> None:
        """End the association."""
        from edge_app.clinic.c_store import is_open, pause

        if self._association is not None and is_open(self._association):
            with suppress(RuntimeError):
                pause(self._association)
                self._association.release()
        self._drop()

    def _drop(self) -> None:
        if self._association is not None and self._association.is_established:
            with suppress(RuntimeError):
                self._association.abort()
        self._association = None


def _in_implicit_vr(content: bytes) -> bytes:
    """A file's data set, in implicit VR little endian; values stay what they are, to the byte."""
    from pydicom import dcmread

    from edge_app.clinic.report_forms import encoded_element

    document = dcmread(BytesIO(content))
    elements = (
        document[each.tag] if each.VR == "SQ" else each  # which are parsed, and encoded anew
        for each in document.elements()
    )
    return b"".join(encoded_element(each, implicit=True) for each in elements)


def client_context(tls: Tls) -> ssl.SSLContext:
    """Shows a certificate of one's own, and asks for one that the authority has signed.

    Raises:
        OSError: a file cannot be read, or holds nothing of the kind.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    return context
