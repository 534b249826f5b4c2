"""What is kept for the peers is whole, or is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import artifacts
from benchmarks.environments import PeerError
from edge_app.model.model_file import locate, read
from edge_app.model.shipped import DEFAULT_MODEL


def test_a_conversion_that_breaks_off_leaves_no_network_to_be_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str, flatbuffer: Path, place: Path) -> None:
        place.write_bytes(flatbuffer.read_bytes()[:100])
        raise PeerError(f"{name}: interrupted")

    monkeypatch.setattr(artifacts, "_convert", broken)
    with pytest.raises(PeerError):
        artifacts._to_onnx(read(locate(DEFAULT_MODEL)), tmp_path / "int8.onnx")
    assert not list(tmp_path.iterdir())
