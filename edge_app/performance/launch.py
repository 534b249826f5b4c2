"""Run a command and print its wall time, CPU time, peak memory and exit code, as JSON.

A script of its own, run by `python -I -S`, because the kernel counts the memory of the process that
starts a command as part of the command's peak: so that process must be small.
"""

import os
import sys
import time


def main() -> None:
    sink = os.open(os.devnull, os.O_RDWR)
    streams = [(os.POSIX_SPAWN_DUP2, sink, 0), (os.POSIX_SPAWN_DUP2, sink, 1)]
    start = time.perf_counter_ns()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=streams)
    _, status, usage = os.wait4(child, 0)
    wall = (time.perf_counter_ns() - start) / 1e9
    cpu = usage.ru_utime + usage.ru_stime
    code = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * 1024  # Linux counts in KiB
    print(f'{{"wall": {wall}, "cpu": {cpu}, "peak": {peak}, "code": {code}}}')


if __name__ == "__main__":
    main()
