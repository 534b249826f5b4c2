"""Images at which the box died before: each is answered by a process of its own.

If that process dies too, the image is at fault, and its answer says so. If it is killed from
outside, as by a system that is out of memory, the image waits and is tried this way again, never by
the box itself. Other images are answered meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from edge_app.backends.options import CPU
from edge_app.clinic.delivering import LONGEST_PAUSE, pause_after
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.image_file import LostError, read_kept
from edge_app.clinic.keeper import Keeper, name_of
from edge_app.clinic.settings import Settings, in_settings
from edge_app.clinic.spool import Image
from edge_app.clinic.statements import CHANGED, decided_by
from edge_app.core import sandbox
from edge_app.core.errors import EdgeCxrError, ImageError, MachineError, ModelError
from edge_app.core.shortage import KILLED
from edge_app.core.site_place import NONE
from edge_app.pipeline.sources import STANDARD_INPUT

SECONDS: Final = 300
"""Seconds that such a process may run."""

TICK: Final = 0.5
ENDING_SECONDS: Final = 30
"""Seconds to wait for it when the box ends; then its image waits for the next start."""

MAX_TRIES: Final = 5

OUTSIDE: Final = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""Ends that no image causes: a service manager sends these to all processes of the box."""


class Quarantine:
    """Answers such images one after the other, in a thread of its own.

    Args:
        keeper: of their answers.
        settings: of the model and the limits.
        stopping: set when the box ends.
        isolated: whether pictures are decoded in processes that can do nothing else.
    """

    def __init__(
        self, keeper: Keeper, settings: Settings, stopping: threading.Event, *, isolated: bool
    ) -> None:
        self.keeper, self.settings, self.isolated = keeper, settings, isolated
        self.spool, self.events = keeper.spool, keeper.events
        self._stopping = stopping
        self._thread = ThreadPoolExecutor(1, "quarantine")
        self._failures = 0
        # Of this process: it begins those that only wait behind another one, too, at each start.
        self._tries: Counter[int] = Counter()

    def submit(self, image: Image) -> None:
        """Answer an image, after those before it."""
        try:
            self._thread.submit(int)  # has the thread begin, if it has not
        except RuntimeError as error:  # it cannot: else the image would be in nobody's hand
            self._suspect(image, type(error).__name__)
            return
        self._thread.submit(self._answer, image)

    def close(self) -> None:
        """Wait for the image in hand; those behind it are left for the next start."""
        self._thread.shutdown(cancel_futures=True)

    def _answer(self, image: Image) -> None:
        if self._stopping.is_set():
            return
        try:
            self._answer_one(image, time.monotonic())
            self._failures = 0
        except EdgeCxrError as error:
            self._recover(image, error)
        except Exception as error:  # out of memory, or what nobody foresaw
            self._suspect(image, type(error).__name__)

    def _answer_one(self, image: Image, began: float) -> None:
        self.spool.recent.take(image.path)  # it goes to another process, and seldom
        try:
            data = read_kept(image.path, image.entrance, image.sha256, self.settings.limits)
            whose = self.keeper.provenance(image, data)
            self.events.tell("answered-alone", image=self.events.digest(image.identity))
            answer = self.answer(image, data)
        except LostError as error:
            self.keeper.keep_lost(image, error, began)
            return
        except MachineError as error:
            if self.keeper.put_off(image, error, began):
                self._stopping.wait(1)  # where each of them wants something
            return
        except ImageError as error:
            self.keeper.keep(image, self.keeper.refused(image, error), None, began)
            return
        if answer is not None:
            if decided_by(answer) != decided_by(self.keeper.by()):
                raise ModelError(f"{self.settings.model}: {CHANGED}: start it again")
            self.keeper.keep(image, answer, whose, began)

    def _recover(self, image: Image, error: EdgeCxrError) -> None:
        """After an error that is not the image's fault: it waits to be tried here again."""
        self._failures += 1
        pause = pause_after(self._failures, LONGEST_PAUSE)
        self.events.tell("answering-stalled", why=str(error), pause=pause)
        self._stopping.wait(pause)
        self._postpone(image)

    def _suspect(self, image: Image, why: str) -> None:
        """After an error that may be the image's fault: others go first, then it is tried again."""
        self.events.tell("answering-failed", why=why, number=image.id)
        self._stopping.wait(1)
        self._postpone(image)

    def _postpone(self, image: Image) -> None:
        try:
            self.spool.postpone(image)
        except SpoolError as error:
            self.events.tell("answering-stalled", why=str(error))

    def answer(self, image: Image, data: bytes) -> Mapping[str, Any] | None:
        """The answer of a process of its own, or that the image ends whatever reads it.

        Returns:
            None where that fails otherwise, and where the box ends; the image waits for another
            try. After some tries that is the answer.

        Raises:
            MachineError: this machine lacks what it takes, or somebody kills the process.
        """
        try:
            code, printed = self._run(self._line(), data)
        except subprocess.TimeoutExpired:
            return self._ends(image, f"takes more than {SECONDS} s to read")
        if code is None or code in OUTSIDE:
            self._stopping.wait(1)
            self.spool.postpone(image)
            return None
        if code == -signal.SIGKILL:  # and not by `_run`, which tells so
            raise MachineError(f"could not be read: {KILLED}")
        if code < 0:
            return self._ends(
                image, f"ends the program that reads it ({signal.Signals(-code).name})"
            )
        answer = _object_in(printed)
        if answer is None:
            self._tries[image.id] += 1
            if self._tries[image.id] >= MAX_TRIES:
                tries = self._tries.pop(image.id)
                return self._ends(image, f"was tried {tries} times and could not be answered")
            self._suspect(image, f"exit code {code} of a process of its own")
            return None
        self._tries.pop(image.id, None)
        if answer.get("error", {}).get("kind") == MachineError.kind:
            raise MachineError(answer["error"]["message"])
        if "error" in answer:
            answer["error"]["message"] = in_settings(answer["error"]["message"])
        else:
            answer["image"]["sha256"] = image.sha256
        return {**answer, "file": name_of(image)}

    def _line(self) -> list[str]:
        settings = self.settings
        line = [sys.executable, "-m", "edge_app", "classify", "--json"]
        # A device is the box's; what computes must not be what it dies of, either.
        site = str(settings.site or NONE)
        line += ["--model", settings.model, "--site", site, "--backend", CPU]
        if settings.operating_point:
            line += ["--operating-point", settings.operating_point]
        if self.isolated:
            line.append("--isolate")
        return [*line, "--max-pixels", str(settings.limits.max_pixels), STANDARD_INPUT]

    def _run(self, line: Sequence[str], data: bytes) -> tuple[int | None, bytes]:
        """A process's exit code and output; no code where it is ended with the box.

        Raises:
            TimeoutExpired: it was ended, too.
        """
        end = time.monotonic() + SECONDS
        # In memory, and not through a pipe: `communicate` does not go on giving it what it was
        # interrupted in.
        with open(os.memfd_create("picture", os.MFD_CLOEXEC), "w+b") as picture:
            picture.write(data)
            picture.seek(0)
            process = subprocess.Popen(
                line,
                stdin=picture,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        sandbox.end_first(process.pid)
        with process:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    printed, _ = process.communicate(timeout=TICK)
                    return process.returncode, printed
                if self._stopping.is_set():
                    end = min(end, time.monotonic() + ENDING_SECONDS)
                if time.monotonic() > end:
                    process.kill()
                    if self._stopping.is_set():
                        return None, b""
                    raise subprocess.TimeoutExpired(line, SECONDS)

    def _ends(self, image: Image, reason: str) -> Mapping[str, Any]:
        return self.keeper.refused(image, ImageError(reason))


def _object_in(text: bytes) -> dict[str, Any] | None:
    """The JSON object that a process printed; None where it printed none, or not all of it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
