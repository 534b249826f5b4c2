"""The filter of system calls, of every processor: computed here as the kernel would."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess

import pytest

from edge_app.core import sandbox
from edge_app.core.sandbox import ALLOW, FILTERS, KILL, REFUSE

FORBIDDEN = {
    "x86_64": {"socket": 41, "connect": 42, "clone": 56, "fork": 57, "execve": 59, "kill": 62,
        "rename": 82, "unlink": 87, "ptrace": 101, "prctl": 157, "setrlimit": 160, "unlinkat": 263,
        "execveat": 322, "bpf": 321, "io_uring_setup": 425, "clone3": 435, "pidfd_open": 434},
    "aarch64": {"ioctl": 29, "unlinkat": 35, "renameat": 38, "ftruncate": 46, "ptrace": 117,
        "kill": 129, "setrlimit": 164, "prctl": 167, "socket": 198, "connect": 203, "clone": 220,
        "execve": 221, "io_uring_setup": 425, "clone3": 435},
    "arm": {"fork": 2, "unlink": 10, "execve": 11, "ptrace": 26, "kill": 37, "rename": 38,
        "ioctl": 54, "setrlimit": 75, "clone": 120, "prctl": 172, "vfork": 190, "socket": 281,
        "connect": 283, "io_uring_setup": 425, "clone3": 435, "set_tls": 0x0F0005},
}  # fmt: skip
"""From the kernel's tables of system calls."""


def answered(processor: str, architecture: int, number: int, *arguments: int) -> int:
    """What the filter answers; a program of the classic BPF (seccomp(2)), computed step by step."""
    program = sandbox._program(*FILTERS[processor])
    steps = [*struct.iter_unpack("=HBBI", program)]
    seen = struct.pack("<iIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    at = value = 0
    while True:
        code, right, wrong, constant = steps[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", seen, constant)
        elif code == 0x06:
            return constant
        else:
            holds = {
                0x15: value == constant,
                0x35: value >= constant,
                0x45: bool(value & constant),
            }
            at += right if holds[code] else wrong


@pytest.mark.parametrize("processor", FILTERS)
def test_what_decoding_takes_is_done_and_all_else_is_not(processor: str) -> None:
    architecture, calls = FILTERS[processor]
    done = {
        n
        for n in (*range(500), *range(0xF0000, 0xF0010))
        if answered(processor, architecture, n) == ALLOW
    }
    assert done == set(calls.values())
    forbidden = FORBIDDEN[processor].values()
    assert {answered(processor, architecture, number) for number in forbidden} == {REFUSE}


@pytest.mark.parametrize("processor", FILTERS)
def test_files_are_opened_for_reading_alone(processor: str) -> None:
    architecture, calls = FILTERS[processor]
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_RDWR | os.O_CLOEXEC):
        assert answered(processor, architecture, calls["openat"], 0, 0, flags) == REFUSE
        if "open" in calls:
            assert answered(processor, architecture, calls["open"], 0, flags) == REFUSE
    assert answered(processor, architecture, calls["openat"], 0, 0, os.O_CLOEXEC) == ALLOW


@pytest.mark.parametrize("processor", FILTERS)
def test_calls_of_another_processor_end_the_process(processor: str) -> None:
    """As a process of 64 bits could make those of 32, whose numbers mean others."""
    for other, (architecture, calls) in FILTERS.items():
        if other != processor:
            assert answered(processor, architecture, calls["read"]) == KILL
    read = FILTERS["x86_64"][1]["read"]
    assert answered("x86_64", FILTERS["x86_64"][0], read | sandbox.X32) == REFUSE


@pytest.mark.parametrize(
    ("machine", "bytes_of_pointer", "processor"),
    [
        ("x86_64", 8, "x86_64"),
        ("aarch64", 8, "aarch64"),
        ("aarch64", 4, "arm"),
        ("armv7l", 4, "arm"),
        ("armv8l", 4, "arm"),
        ("armv6l", 4, "arm"),
        ("x86_64", 4, None),
        ("riscv64", 8, None),
    ],
)
def test_a_process_of_32_bits_has_the_calls_of_32(
    machine: str, bytes_of_pointer: int, processor: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(struct, "calcsize", lambda form: bytes_of_pointer)
    assert FILTERS.get(sandbox._processor()) == (FILTERS[processor] if processor else None)


@pytest.mark.process
@pytest.mark.parametrize("processor", FILTERS)
def test_its_numbers_are_those_of_libseccomp(processor: str) -> None:
    resolver = shutil.which("scmp_sys_resolver")
    if resolver is None:
        pytest.skip("libseccomp's names are compared with: apt-get install seccomp")
    for name, number in {**FILTERS[processor][1], **FORBIDDEN[processor]}.items():
        line = [resolver, "-a", processor, name]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        assert int(done.stdout) == number, name
