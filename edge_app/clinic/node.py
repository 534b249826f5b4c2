"""The DICOM node: C-ECHO, and C-STORE of radiographs into the spool.

What it does is in the conformance statement, ``docs/conformance.md``.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from edge_app.clinic.events import Events
from edge_app.clinic.faults import SpoolError, SpoolFullError
from edge_app.clinic.header import HeaderError, about, instance_of, read_header
from edge_app.clinic.image_file import preamble
from edge_app.clinic.settings import NODE, Node, Tls
from edge_app.clinic.spool import Offered, Spool
from edge_app.core.pieces import Pieces, size_of
from edge_app.core.resources import memory
from edge_app.images.dicom_pixels import READ, RLE
from edge_app.images.dicom_values import line

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.events import Event

RADIOGRAPHS: Final = (
    "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography Image Storage
    "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray Image Storage - For Presentation
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image Storage
)
VERIFICATION: Final = "1.2.840.10008.1.1"
SYNTAXES: Final = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", RLE, *READ)
"""Explicit and implicit VR little endian, and what there is a decoder for."""

SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
DOES_NOT_MATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
PROCESSING_FAILURE: Final = 0x0110

REJECTED_CALLING: Final = (0x01, 0x01, 0x03)
"""Permanent, by the service user, calling AE title not recognised (PS3.8 table 9-21)."""

STORING_SECONDS: Final = 10
"""Seconds to wait at the end for messages that are under way."""

HASHERS: Final = 2
"""Threads that work out digests while other threads write what was received."""

A_ABORT: Final = 0x07
"""The type of the PDU that ends an association (PS3.8 9.3.8)."""


class DicomNode:
    """Listens for associations until it is stopped.

    Args:
        node: how and for whom.
        spool: what is accepted goes there.
        events: what happens is told there.

    Raises:
        OSError: its port is taken, or its TLS files cannot be used.
    """

    def __init__(self, node: Node, spool: Spool, events: Events) -> None:
        from pynetdicom import AE, _config, evt

        from edge_app.clinic.bounded import BoundedServer, Bounds

        _config.LOG_HANDLER_LEVEL = "none"  # its own log would name patients
        self.node, self.spool, self.events = node, spool, events
        entity = AE(ae_title=node.ae_title)
        entity.maximum_associations = node.associations
        entity.maximum_pdu_size = node.pdu
        entity.require_called_aet = True
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = node.silence
        entity.add_supported_context(VERIFICATION)
        for sop_class in RADIOGRAPHS:
            entity.add_supported_context(sop_class, list(SYNTAXES))
        self._hashers = ThreadPoolExecutor(HASHERS, "digest")
        together = max(2 * node.max_bytes, memory() // 4)
        self._server = entity.make_server(
            (node.host, node.port),
            evt_handlers=[
                (evt.EVT_REQUESTED, self._requested),
                (evt.EVT_C_STORE, self._stored),
                (evt.EVT_REJECTED, self._rejected),
                (evt.EVT_DATA_SENT, self._sent),
            ],
            server_class=BoundedServer,
            tls=server_context(node.tls) if node.tls else None,
            bounds=Bounds(
                *(node.max_bytes, together, node.pdu, node.silence),
                *(self._broken, self._no_association),
            ),
        )
        entity._servers.append(self._server)  # which is what its `shutdown` ends
        self._entity = entity
        self._stopping = False
        self._thread = threading.Thread(target=self._server.serve_forever, name="node", daemon=True)

    def start(self) -> None:
        """Accept associations."""
        self._thread.start()

    def stop(self) -> None:
        """End all associations; a message that is being stored is stored and answered first."""
        self._stopping = True
        self._server.lobby.stop()
        self._server.shutdown()
        end = time.monotonic() + STORING_SECONDS
        for association in self._server.active_associations:
            while association.dimse.held and time.monotonic() < end:
                time.sleep(0.01)
            association.abort()

    def _requested(self, event: Event) -> None:
        """Reject a peer that is not on the list, before anything else of its request counts."""
        requestor = event.assoc.requestor
        try:
            title = str(requestor.primitive.calling_ae_title).strip()
            allowed = self._is_allowed(title, str(requestor.address))
        except Exception:  # pynetdicom would let in whoever this fails for
            allowed = False
        if allowed:
            return
        event.assoc.acse.send_reject(*REJECTED_CALLING)
        self._tell("rejected", event.assoc, "not on the list of peers")

    def _is_allowed(self, title: str, host: str) -> bool:
        address = _address(host)
        if not self.node.peers:
            return address.is_loopback
        return any(
            peer.ae_title == title and any(address in network for network in peer.hosts)
            for peer in self.node.peers
        )

    def _rejected(self, event: Event) -> None:
        called = str(event.assoc.requestor.primitive.called_ae_title).strip()
        right = called == self.node.ae_title
        why = "too many associations" if right else "wrong called AE title"
        self._tell("rejected", event.assoc, why)

    def _sent(self, event: Event) -> None:
        """Of all that is sent to peers, log an A-ABORT from here."""
        if event.data[0] == A_ABORT:
            event.assoc.dul.informed = True
            self._broken(event.assoc, event.assoc.dul.why_aborted())

    def _broken(self, association: Association, why: str) -> None:
        """Log an association that ends early, unless the box itself ends."""
        if not self._stopping:
            self._tell("aborted", association, why)

    def _no_association(self, address: Any, why: str) -> None:
        """Tell of a connection that cannot become an association."""
        self.events.audit("rejected", host=str(address[0]), why=why)

    def _tell(self, what: str, association: Association, why: str) -> None:
        """Log an association that is never established."""
        requestor = association.requestor
        title = getattr(requestor.primitive, "calling_ae_title", None)
        peer = line(title, 16).strip() if title else ""
        self.events.audit(what, peer=peer, host=str(requestor.address), why=why)

    def _stored(self, event: Event) -> int:
        """C-STORE: the status says whether the image is on the medium."""
        peer = line(event.assoc.requestor.ae_title, 16).strip()
        host = str(event.assoc.requestor.address)
        try:
            return self._store(event, peer, host)
        except Exception as error:  # which nobody foresaw: its own text may name patients
            why = f"it fails here ({type(error).__name__})"
            no_memory = isinstance(error, MemoryError)
            return self._refuse(
                peer, host, OUT_OF_RESOURCES if no_memory else PROCESSING_FAILURE, why
            )
        finally:
            event.assoc.dimse.handled()

    def _store(self, event: Event, peer: str, host: str) -> int:
        request = event.request
        if request.DataSet.cut:
            return self._refuse(peer, host, OUT_OF_RESOURCES, "larger than max_mb")
        data: Pieces = request.DataSet.pieces
        try:
            header = read_header(data, str(event.context.transfer_syntax))
        except HeaderError as error:
            return self._refuse(peer, host, CANNOT_UNDERSTAND, str(error))
        instance = instance_of(header)
        named = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
        if named != instance[:2]:
            return self._refuse(peer, host, DOES_NOT_MATCH, "is another object than it is said")
        digest = self._hashers.submit(_sha256, data)
        meta = _file_meta(event)
        pieces = (preamble(meta), meta, *data)
        offered = Offered(
            *(NODE, instance.sop_instance, digest, pieces),
            *(f"{peer}@{host}", about(header)),
        )
        try:
            receipt = self.spool.accept(offered)
        except SpoolFullError as error:
            return self._refuse(peer, host, OUT_OF_RESOURCES, str(error))
        except SpoolError as error:
            return self._refuse(peer, host, PROCESSING_FAILURE, str(error))
        self.events.audit(
            "received",
            image=self.events.digest(instance.sop_instance),
            number=receipt.id,
            verdict=receipt.verdict,
            peer=peer,
            host=host,
            bytes=size_of(data),
        )
        return SUCCESS

    def _refuse(self, peer: str, host: str, status: int, why: str) -> int:
        self.events.audit("refused", peer=peer, host=host, status=f"{status:04X}h", why=why)
        return status


def _sha256(pieces: Pieces) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def _file_meta(event: Event) -> bytes:
    from pynetdicom.dsutils import encode_file_meta

    return bytes(encode_file_meta(event.file_meta))


def _address(host: str) -> Any:
    """An address; an IPv4 one that came over IPv6 as itself."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def server_context(tls: Tls) -> ssl.SSLContext:
    """Shows a certificate, and lets nobody in without one that the authority has signed.

    Raises:
        OSError: a file cannot be read, or holds nothing of the kind.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.certificate, tls.key)
    return context
