"""Ed25519 and minisign's files, beside the RFC's examples and what others make and check."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_app.core import ed25519, minisign
from edge_app.core.errors import UsageError

RFC_8032 = {
    "1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    "2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
        "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    "3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
        "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    "SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ec"
        "fdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
}
"""Section 7.1: public key, message and signature."""

EIGHTH = 2707385501144840649318225287225658788936804267575313519463743609750303021
"""The y of a point of order 8."""

MADE_BY_MINISIGN = """untrusted comment: signature from minisign secret key
RURW1YH64DIwUaihTryaV2C+/AAwzOaHmUjrLpnmvV5rSywRRpRmKBzvbhkzGGHoKsNqA7khTwHf9g3EK9/ZFI9Ct6tK7l03xAQ=
trusted comment: edge-cxr model x serial 3
T9NWynWP3i4mYsw6aP1Yzk2ez/e9seksVaSMRmY2lfA6GthDtxr7nnLQY1bQNhsKDyiHJx6ZAPTuqjK1kBB1Bw==
"""
"""Of the bytes ``hi`` and a line feed, by version 0.11."""

ITS_KEY = "RWRW1YH64DIwUU1Aw+9nw8MGpJaVreBgvGKvlF9bPgJTU10agE7rrUzD"


@pytest.mark.parametrize("name", RFC_8032)
def test_the_examples_of_the_rfc_are_good_and_no_others(name: str) -> None:
    key, message, signature = map(bytes.fromhex, RFC_8032[name])
    assert ed25519.verify(key, message, signature)
    assert not ed25519.verify(key, message + b"\0", signature)
    for place in (0, 31, 32, 62, 63):
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not ed25519.verify(key, message, bytes(changed)), place
    assert not ed25519.verify(key[:-1] + bytes([key[-1] ^ 0x80]), message, signature)
    for cut in (signature[:-1], signature + b"\0", b""):
        assert not ed25519.verify(key, message, cut)
    assert not ed25519.verify(key[:31], message, signature)


def test_a_second_form_of_the_same_signature_is_not_good() -> None:
    """S and S + the order fulfil the same equation; only one of them is a signature."""
    key, message, signature = map(bytes.fromhex, RFC_8032["3"])
    larger = int.from_bytes(signature[32:], "little") + ed25519.ORDER
    assert not ed25519.verify(key, message, signature[:32] + larger.to_bytes(32, "little"))


@pytest.mark.parametrize(
    "y",
    [
        *(0, 1, ed25519.P - 1, ed25519.P, ed25519.P + 1, 2**255 - 1, 2),
        EIGHTH,
        ed25519.P - EIGHTH,
    ],
    ids=lambda y: hex(y)[:12],
)
def test_a_key_that_anybody_signs_for_is_none(y: int) -> None:
    """Points of small order, numbers that are not below P, and one that is no point.

    With R and A neutral and S zero, the equation holds for every message.
    """
    signature = (1).to_bytes(32, "little") + bytes(32)
    for sign in (0, 1 << 255):
        key = (y | sign).to_bytes(32, "little")
        assert not ed25519.is_key(key)
        assert not any(ed25519.verify(key, bytes([n]), signature) for n in range(8))


def test_it_agrees_with_cryptography_on_good_and_changed_signatures() -> None:
    pytest.importorskip("cryptography")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    rng = np.random.default_rng(0)
    verdicts = []
    for number in range(60):
        secret = Ed25519PrivateKey.from_private_bytes(rng.bytes(32))
        message = rng.bytes(number)
        parts = [bytearray(secret.public_key().public_bytes_raw()), bytearray(secret.sign(message))]
        if number % 3:
            part = parts[number % 2]
            part[rng.integers(len(part))] ^= 1 << int(rng.integers(8))
        key, signature = map(bytes, parts)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            expected = True
        except InvalidSignature:
            expected = False
        assert ed25519.verify(key, message, signature) is expected, number
        verdicts.append(expected)
    assert verdicts.count(True) == 20


def test_a_signature_of_minisign_is_read_and_covers_its_comment() -> None:
    key, found = minisign.public_key(ITS_KEY), minisign.signature(MADE_BY_MINISIGN)
    assert (key.id, found.id) == ("513032E0FA81D556", "513032E0FA81D556")
    assert found.comment == "edge-cxr model x serial 3"
    assert found.is_good(b"hi\n", key)
    assert not found.is_good(b"hi", key)
    assert not found._replace(comment="edge-cxr model x serial 4").is_good(b"hi\n", key)
    assert not found.is_good(b"hi\n", key._replace(number=bytes(8)))
    assert minisign.signature(found.file) == found
    assert minisign.public_key(key.file) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        MADE_BY_MINISIGN.replace("RURW", "RURX", 1)[:-60],
        MADE_BY_MINISIGN.replace("untrusted", "Untrusted"),
        MADE_BY_MINISIGN.replace("\ntrusted comment: ", "\n"),
        MADE_BY_MINISIGN.replace("serial", "\x1b[2J"),
        MADE_BY_MINISIGN + "more\n",
        MADE_BY_MINISIGN.replace("=", "?"),
        MADE_BY_MINISIGN.replace("RURW", "RWRW", 1),
    ],
)
def test_an_invalid_signature_is_reported(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no signature|cannot be printed|old form"):
        minisign.signature(text)


@pytest.mark.parametrize(
    "text", ["", "hi", ITS_KEY[:-4], f"{ITS_KEY}\n{ITS_KEY}", MADE_BY_MINISIGN]
)
def test_an_invalid_public_key_is_reported(text: str) -> None:
    with pytest.raises(ValueError, match="is no public key"):
        minisign.public_key(text)


@pytest.fixture
def minisign_tool() -> str:
    found = shutil.which("minisign")
    if not found:
        pytest.skip("minisign is not installed: tests/install_peers.sh")
    return found


@pytest.fixture
def quick_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that takes milliseconds to try."""
    from edge_app.core import signing

    monkeypatch.setattr(signing, "OPERATIONS", 1 << 15)
    monkeypatch.setattr(signing, "MEMORY", 1 << 24)


@pytest.mark.usefixtures("quick_password")
def test_minisign_checks_what_is_signed_here_and_the_other_way_round(
    minisign_tool: str, tmp_path: Path
) -> None:
    pytest.importorskip("cryptography")
    from edge_app.core import signing

    file = tmp_path / "file"
    file.write_bytes(b"1234" * 999)

    def tool(*line: object, password: str = "") -> str:
        done = subprocess.run(
            [minisign_tool, *map(str, line)], input=password, capture_output=True, text=True
        )
        return done.stdout + done.stderr if done.returncode == 0 else ""

    ours = tmp_path / "ours.key"
    signing.make(ours, "a secret")
    secret = signing.read(ours, lambda: "a secret")
    made = secret.sign(file.read_bytes(), "edge-cxr model x serial 3")
    Path(f"{file}.minisig").write_text(made.file)
    output = tool("-V", "-m", file, "-p", tmp_path / "ours.pub")
    assert "Trusted comment: edge-cxr model x serial 3" in output
    assert tool("-S", "-m", file, "-s", ours, "-t", "by it", password="a secret\n")
    again = minisign.signature(Path(f"{file}.minisig").read_text())
    assert again.comment == "by it"
    assert again.is_good(file.read_bytes(), secret.public)

    theirs = tmp_path / "theirs.key"
    assert tool("-G", "-W", "-s", theirs, "-p", tmp_path / "theirs.pub")
    other = signing.read(theirs, lambda: "not asked")
    assert other.public == minisign.public_key((tmp_path / "theirs.pub").read_text())


@pytest.mark.usefixtures("quick_password")
def test_a_secret_key_is_its_owners_alone_and_asks_for_its_password(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from edge_app.core import signing

    place = tmp_path / "my.key"
    public = signing.make(place, "right")
    assert place.stat().st_mode & 0o777 == 0o600
    assert signing.read(place, lambda: "right").public == public
    with pytest.raises(UsageError, match="the password is another"):
        signing.read(place, lambda: "wrong")
    with pytest.raises(UsageError, match=r"my.pub: is there already"):
        signing.make(place, "right")
    for text in ("", "a\nb\n", place.read_text()[:-40]):
        (tmp_path / "bad.key").write_text(text)
        with pytest.raises(UsageError, match="is no secret key"):
            signing.read(tmp_path / "bad.key", lambda: "")
