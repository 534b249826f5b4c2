"""The box on an emulated Raspberry Pi: installed from the kit, it receives, answers, has a page.

    python -m tests.boards.emulated_box RADIOGRAPH.dcm [BOARD]...

By hand, for it takes minutes a board. It needs dcmtk, whose `storescu` is the X-ray machine and
whose `storescp` the archive; `dsrdump` reads what came back.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from boards import board as known
from boards import install, kit, sysroot

CACHE: Final = Path(".boards")
PATIENCE: Final = 600
"""Seconds that an emulated board may take for a step."""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def wait_for(what: str, happened: Callable[[], bool], box: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        if box.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"{what}: the box ended, or {PATIENCE} s went by")
        time.sleep(1)
    print(what, flush=True)


def said(*line: object) -> str | None:
    """What a program printed; None where it failed."""
    done = subprocess.run([*map(str, line)], capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout


def look(page: str) -> None:
    """The page's list, the image, and its picture, drawn by the board."""
    for path in ("/", "/images/1", "/images/1/picture.png", "/healthz"):
        with urllib.request.urlopen(page + path, timeout=PATIENCE) as answer:
            print(f"{path}: {answer.status}, {len(answer.read())} bytes", flush=True)


def examine(name: str, radiograph: Path, work: Path) -> None:
    """Install, start, send, wait for the report, look at the page, stop."""
    chosen = known.find(name)
    machine = sysroot.get(chosen, CACHE)
    target = next(t for t in kit.TARGETS.values() if t.machine == chosen.processor.machine)
    archive = kit.build(target, work, CACHE, (chosen.python,))
    environment = machine.environment()
    box = install.from_kit(archive, environment, work)
    print(
        f"{name}: {archive.name}, {archive.stat().st_size / 1e6:.0f} MB, is installed", flush=True
    )

    port, archive_port, page, received = free_port(), free_port(), free_port(), work / "received"
    received.mkdir()
    settings = work / "box.toml"
    settings.write_text(
        f'spool = "{work / "spool"}"\n[node]\nport = {port}\n'
        f'[[receiver]]\nname = "archive"\nae_title = "ARCHIVE"\nhost = "127.0.0.1"\n'
        f"port = {archive_port}\n[page]\nport = {page}\n"
    )
    storescp = subprocess.Popen(["storescp", "-od", received, str(archive_port)])
    running = subprocess.Popen([*box.command, "serve", str(settings)], env=environment)
    try:
        address = ("-aec", "EDGECXR", "127.0.0.1", port)
        wait_for("it answers C-ECHO", lambda: said("echoscu", *address) is not None, running)
        if said("storescu", *address, radiograph) is None:
            raise SystemExit("storescu was refused")
        wait_for("its report arrived", lambda: any(received.iterdir()), running)
        time.sleep(1)
        (report,) = received.iterdir()
        text = said("dsrdump", report)
        if text is None:
            raise SystemExit("dsrdump cannot read the report")
        print("\n".join(text.splitlines()[:40]))
        look(f"http://127.0.0.1:{page}")
        running.terminate()
        print(f"stopped by SIGTERM, exit code {running.wait(PATIENCE)}", flush=True)
    finally:
        for process in (storescp, running):
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


def main() -> None:
    """Examine the boards that are named, or all."""
    radiograph, *names = sys.argv[1:]
    if shutil.which("storescp") is None:
        raise SystemExit("dcmtk is not installed: apt install dcmtk")
    for name in names or known.BOARDS:
        with tempfile.TemporaryDirectory() as work:
            examine(name, Path(radiograph), Path(work))


if __name__ == "__main__":
    main()
