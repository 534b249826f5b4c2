"""What can go wrong with the box itself, told apart by who has to act."""

from __future__ import annotations

import ssl

from edge_app.core.errors import EXIT_USAGE, EdgeCxrError


class SettingsError(EdgeCxrError):
    """The settings file asks for something that cannot be."""

    exit_code = EXIT_USAGE
    kind = "settings"


class SpoolError(EdgeCxrError):
    """The spool cannot be used: damaged, of a newer version, in use, or its disk fails."""

    kind = "spool"


class SpoolFullError(SpoolError):
    """There is no room for another image; those that were accepted are still answered."""


class UnsyncedError(SpoolError):
    """What was written is there, and the disk does not say that it survives a power cut."""


def in_words(fault: OSError) -> str:
    """Why no connection comes about."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {fault.verify_message.rstrip('.')}"
    if isinstance(fault, ssl.SSLError):
        return f"TLS fails: {(fault.reason or str(fault)).replace('_', ' ').lower()}"
    return fault.strerror or str(fault)
