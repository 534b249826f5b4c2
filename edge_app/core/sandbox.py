"""Restricting a process for good before it decodes untrusted files.

For Linux only, by `prctl` and plain system calls, so that nothing has to be installed:
no_new_privs, seccomp's filter (both since 3.5) and Landlock (since 5.13). Features that the kernel
lacks are reported, and the others hold.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
SECCOMP_MODE_FILTER: Final = 2

LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
"""System calls; the same numbers on every architecture."""

READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
ALL_OF_FILES: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Landlock's version → all rights to files that it knows."""
CONNECT_AND_BIND: Final = 3
"""Landlock's rights to TCP, since version 4."""
SIGNALS_AND_SOCKETS: Final = 3
"""Landlock's scopes, since version 6: signals and abstract sockets of other processes."""

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of the filter: BPF_LD|W|ABS, BPF_JMP|JEQ, |JGE, |JSET with a constant, BPF_RET."""
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in the filter's view of a call; an argument takes 8 bytes."""
KILL, REFUSE, ALLOW = 0x80000000, 0x00050001, 0x7FFF0000
"""Results of the filter: end the process; fail with EPERM; do the call."""
WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
X32: Final = 0x40000000

FILTERS: Final[dict[str, tuple[int, dict[str, int]]]] = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0,
            "write": 1,
            "open": 2,
            "close": 3,
            "stat": 4,
            "fstat": 5,
            "lstat": 6,
            "poll": 7,
            "lseek": 8,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "pread64": 17,
            "readv": 19,
            "writev": 20,
            "access": 21,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "dup": 32,
            "getpid": 39,
            "exit": 60,
            "uname": 63,
            "fcntl": 72,
            "getcwd": 79,
            "readlink": 89,
            "gettimeofday": 96,
            "getrlimit": 97,
            "getrusage": 98,
            "sysinfo": 99,
            "times": 100,
            "getuid": 102,
            "getgid": 104,
            "geteuid": 107,
            "getegid": 108,
            "getppid": 110,
            "sigaltstack": 131,
            "gettid": 186,
            "time": 201,
            "futex": 202,
            "sched_getaffinity": 204,
            "getdents64": 217,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "clock_getres": 229,
            "clock_nanosleep": 230,
            "exit_group": 231,
            "openat": 257,
            "newfstatat": 262,
            "readlinkat": 267,
            "faccessat": 269,
            "pselect6": 270,
            "ppoll": 271,
            "set_robust_list": 273,
            "getcpu": 309,
            "getrandom": 318,
            "membarrier": 324,
            "statx": 332,
            "rseq": 334,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "getcwd": 17,
            "dup": 23,
            "fcntl": 25,
            "faccessat": 48,
            "openat": 56,
            "close": 57,
            "getdents64": 61,
            "lseek": 62,
            "read": 63,
            "write": 64,
            "readv": 65,
            "writev": 66,
            "pread64": 67,
            "pselect6": 72,
            "ppoll": 73,
            "readlinkat": 78,
            "newfstatat": 79,
            "fstat": 80,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "set_robust_list": 99,
            "nanosleep": 101,
            "clock_gettime": 113,
            "clock_getres": 114,
            "clock_nanosleep": 115,
            "sched_getaffinity": 123,
            "sched_yield": 124,
            "restart_syscall": 128,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "times": 153,
            "uname": 160,
            "getrlimit": 163,
            "getrusage": 165,
            "getcpu": 168,
            "gettimeofday": 169,
            "getpid": 172,
            "getppid": 173,
            "getuid": 174,
            "geteuid": 175,
            "getgid": 176,
            "getegid": 177,
            "gettid": 178,
            "sysinfo": 179,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "madvise": 233,
            "getrandom": 278,
            "membarrier": 283,
            "statx": 291,
            "rseq": 293,
        },
    ),
    "arm": (
        0x40000028,
        {
            "restart_syscall": 0,
            "exit": 1,
            "read": 3,
            "write": 4,
            "open": 5,
            "close": 6,
            "lseek": 19,
            "getpid": 20,
            "access": 33,
            "dup": 41,
            "times": 43,
            "brk": 45,
            "getppid": 64,
            "getrusage": 77,
            "gettimeofday": 78,
            "readlink": 85,
            "munmap": 91,
            "stat": 106,
            "lstat": 107,
            "fstat": 108,
            "sysinfo": 116,
            "sigreturn": 119,
            "uname": 122,
            "mprotect": 125,
            "_llseek": 140,
            "readv": 145,
            "writev": 146,
            "sched_yield": 158,
            "nanosleep": 162,
            "mremap": 163,
            "poll": 168,
            "rt_sigreturn": 173,
            "rt_sigaction": 174,
            "rt_sigprocmask": 175,
            "pread64": 180,
            "getcwd": 183,
            "sigaltstack": 186,
            "ugetrlimit": 191,
            "mmap2": 192,
            "stat64": 195,
            "lstat64": 196,
            "fstat64": 197,
            "getuid32": 199,
            "getgid32": 200,
            "geteuid32": 201,
            "getegid32": 202,
            "getdents64": 217,
            "madvise": 220,
            "fcntl64": 221,
            "gettid": 224,
            "futex": 240,
            "sched_getaffinity": 242,
            "exit_group": 248,
            "clock_gettime": 263,
            "clock_getres": 264,
            "clock_nanosleep": 265,
            "openat": 322,
            "fstatat64": 327,
            "readlinkat": 332,
            "faccessat": 334,
            "pselect6": 335,
            "ppoll": 336,
            "set_robust_list": 338,
            "getcpu": 345,
            "getrandom": 384,
            "membarrier": 389,
            "statx": 397,
            "rseq": 398,
            "clock_gettime64": 403,
            "clock_getres_time64": 406,
            "clock_nanosleep_time64": 407,
            "pselect6_time64": 413,
            "ppoll_time64": 414,
            "futex_time64": 422,
            "cacheflush": 0x0F0002,
        },
    ),
}
"""Processor → its audit number, and the system calls that decoding needs; all others fail.

None of them starts a process or a thread, sends or receives, changes a file or another process.
`open` and `openat` are allowed only for reading.
"""

FIRST: Final = "1000"
"""The highest OOM adjustment of a process; see proc(5)."""

OPENERS: Final = {"open": 1, "openat": 2}
"""The place of the argument with the flags."""


def end_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def end_first(process: int) -> None:
    """Have the kernel kill this process and its children first when memory runs out."""
    with suppress(OSError), open(f"/proc/{process}/oom_score_adj", "w") as file:
        file.write(FIRST)


def limit_memory(more: int) -> None:
    """Let this process take at most `more` bytes of further address space; disable core dumps."""
    with open("/proc/self/statm", "rb") as file:
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + more
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def confine(readable: Iterable[str]) -> list[str]:
    """Restrict this process, irrevocably, to computing and to reading below some paths.

    Args:
        readable: folders and files, such as the Python installation; missing ones are skipped.

    Returns:
        The features that this kernel lacks, one line each.
    """
    missing = []
    if _libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        missing.append("no_new_privs")
    if not _restrict_files(readable):
        missing.append("Landlock: what decodes pictures can read this user's files")
    if not _filter_calls():
        missing.append("seccomp's filter: what decodes pictures can reach network and processes")
    return missing


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _restrict_files(readable: Iterable[str]) -> bool:
    call = _libc().syscall
    version = call(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    rights = next(ALL_OF_FILES[v] for v in sorted(ALL_OF_FILES, reverse=True) if v <= version)
    handled = struct.pack("=Q", rights)
    if version >= 4:
        handled += struct.pack("=Q", CONNECT_AND_BIND)
    if version >= 6:
        handled += struct.pack("=Q", SIGNALS_AND_SOCKETS)
    rules = call(LANDLOCK_CREATE, handled, ctypes.c_size_t(len(handled)), 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            with suppress(OSError):
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
                access = READ_FILE | (READ_FOLDER if os.path.isdir(path) else 0)
                call(LANDLOCK_ADD, rules, 1, struct.pack("=Qi", access, place), 0)
                os.close(place)
        return bool(call(LANDLOCK_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _filter_calls() -> bool:
    found = FILTERS.get(_processor())
    if found is None:
        return False
    program = _program(*found)
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    return bool(_libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0) == 0)


def _processor() -> str:
    """The key of `FILTERS` for this process: a 32-bit process makes 32-bit calls on any kernel."""
    machine = platform.machine()
    if struct.calcsize("P") == 8:
        return machine
    return "arm" if machine.startswith("arm") or machine == "aarch64" else ""


def _program(architecture: int, calls: dict[str, int]) -> bytes:
    """The filter as instructions of 8 bytes; see seccomp(2)."""
    steps = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, REFUSE),
    ]
    for name, number in calls.items():
        if name in OPENERS:
            flags = FIRST_ARGUMENT + 8 * OPENERS[name]
            steps += [
                (EQUAL, 0, 4, number),
                (LOAD, 0, 0, flags),
                (ANY_BIT, 0, 1, WRITING),
                (RETURN, 0, 0, REFUSE),
                (RETURN, 0, 0, ALLOW),
            ]
        else:
            steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    steps.append((RETURN, 0, 0, REFUSE))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
