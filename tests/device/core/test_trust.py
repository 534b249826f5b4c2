"""The keys file, and who made what: from texts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_app.core import minisign, trust
from edge_app.core.errors import SignatureError

from .test_minisign import ITS_KEY, MADE_BY_MINISIGN

KEYS = trust.parse(f"# ours\n{ITS_KEY} the clinic\n")
SIGNED = MADE_BY_MINISIGN.encode()


def test_a_pub_file_of_minisign_is_a_keys_file() -> None:
    assert trust.parse(minisign.public_key(ITS_KEY).file).trusted[0].key.text == ITS_KEY
    assert not KEYS.signed_only
    assert trust.parse(f"{ITS_KEY}\n  signed only \n").signed_only
    assert trust.parse("") == trust.Keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{ITS_KEY}\nsigned  only", "line 2 is no key"),
        (f"{ITS_KEY}\n{ITS_KEY}", "two keys of one number"),
        (f"{ITS_KEY} a\x1b[2Jb", "cannot be printed"),
        (ITS_KEY[:-8], "line 1 is no key"),
    ],
)
def test_a_line_that_is_not_understood_is_not_passed_over(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        trust.parse(text)


def test_a_good_signature_tells_who_and_which() -> None:
    found = trust.origin(b"hi\n", SIGNED, "model", "x", KEYS)
    assert (found.serial, found.signer) == (3, KEYS.trusted[0])
    assert found.words == "is signed by the clinic (513032E0FA81D556), serial 3"
    trust.require(found, KEYS._replace(signed_only=True))


@pytest.mark.parametrize(
    ("data", "kind", "name", "words"),
    [
        (b"hi", "model", "x", "is not what the clinic"),
        (b"hi\n", "kit", "x", "its signature is of model x, and this is kit x"),
        (b"hi\n", "model", "y", "its signature is of model x, and this is model y"),
    ],
)
def test_a_signature_of_something_else_is_refused(
    data: bytes, kind: trust.Kind, name: str, words: str
) -> None:
    with pytest.raises(SignatureError, match=words):
        trust.origin(data, SIGNED, kind, name, KEYS)


@pytest.mark.parametrize(
    ("signature", "keys", "words"),
    [
        (None, KEYS, "is not signed"),
        (None, trust.Keys(), "is not signed"),
        (SIGNED, trust.Keys(), "no key is trusted here"),
        (b"rubbish", trust.Keys(), "no key is trusted here"),
    ],
)
def test_a_file_without_a_trusted_signature_is_reported_and_refused_on_request(
    signature: bytes | None, keys: trust.Keys, words: str
) -> None:
    found = trust.origin(b"hi\n", signature, "model", "x", keys)
    assert found.signer is None
    assert words in found.words
    trust.require(found, keys)
    with pytest.raises(SignatureError, match=words):
        trust.require(found, keys._replace(path=Path("keys"), signed_only=True))


def test_a_key_that_comes_with_the_file_is_not_trusted() -> None:
    other = trust.TrustedKey(minisign.public_key(ITS_KEY)._replace(number=bytes(8)), "")
    found = trust.origin(b"hi\n", SIGNED, "model", "x", trust.Keys(None, (other,)))
    assert found.signer is None
    assert "signed by key 513032E0FA81D556, which is not trusted here" in found.words


def test_a_keys_file_that_cannot_be_believed_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "keys"
    monkeypatch.setenv("EDGE_CXR_KEYS", str(place))
    with pytest.raises(SignatureError, match="no such file"):
        trust.pinned()
    place.write_bytes(b"\xff")
    with pytest.raises(SignatureError, match="is no text"):
        trust.pinned()
    place.write_text(ITS_KEY)
    place.chmod(0o666)
    with pytest.raises(SignatureError, match="everybody may write to it"):
        trust.pinned()
    place.chmod(0o644)
    assert trust.pinned().path == place


def test_keys_are_the_users_or_else_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_CXR_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(trust, "SYSTEM", str(tmp_path / "system"))
    assert trust.pinned() == trust.Keys()
    (tmp_path / "system").write_text(f"{ITS_KEY}\nsigned only\n")
    assert trust.pinned().signed_only
    (tmp_path / "edge-cxr").mkdir()
    (tmp_path / "edge-cxr" / "keys").write_text(ITS_KEY)
    assert trust.pinned().path == tmp_path / "edge-cxr" / "keys"
    monkeypatch.setenv("EDGE_CXR_KEYS", "none")
    assert trust.pinned() == trust.Keys()
