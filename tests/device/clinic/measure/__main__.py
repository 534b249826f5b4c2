"""`python -m tests.device.clinic.measure WHAT`: what the box is held to, measured.

Each prints its numbers and ends with exit code 1 where one is not met. By hand, and on a machine
that nobody else uses: rates and times mean nothing beside others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path

COMMANDS = {
    "latency": "from the last byte received to the report accepted by Orthanc",
    "throughput": "images a second, beside classify",
    "receiving": "images a second, beside dcmtk's storescp",
    "idle": "memory and processor while nothing happens",
    "worklist": "how fast the list of very many images answers",
    "damage": "what 10,000 mutated DICOM conversations and as many HTTP requests leave behind",
    "silent": "whether peers that never speak keep the next one out",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.device.clinic.measure")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        module = import_module(f"{__package__}.{name}")
        module.add_options(commands.add_parser(name, help=text, description=module.__doc__))
    arguments = parser.parse_args()
    module = import_module(f"{__package__}.{arguments.command}")
    with tempfile.TemporaryDirectory() as folder:
        return 0 if module.measure(Path(folder), arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
