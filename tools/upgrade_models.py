"""`python -m tools.upgrade_models [FILE]...`: rewrite model files in the newest version.

Without a file it rewrites the shipped models. The network stays the same to the byte; labels of the
networks trained here get their codes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge_app.model.model_file import ModelFile, read, shipped_models
from train.labels import NIH


def upgrade(path: Path) -> ModelFile:
    """Rewrite one model file in the newest version.

    Raises:
        ModelError: it is no model file, or is not valid in the newest version.
        OSError: it cannot be written.
    """
    model = read(path)
    labels = NIH if model.labels.names == NIH.names else model.labels
    newer = model.replace(manifest={**model.manifest, "labels": labels.entries()})
    assert newer.flatbuffer == model.flatbuffer
    return newer.save()


if __name__ == "__main__":
    for each in map(Path, sys.argv[1:]) if sys.argv[1:] else shipped_models():
        upgraded = upgrade(each)
        version = upgraded.manifest["schema_version"]
        print(f"{each}: version {version}, network {upgraded.sha256[:16]}")
