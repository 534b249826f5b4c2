"""Boards under emulation, and offline kits for them.

A sysroot of Debian packages and qemu's user-mode emulation run a board's own Python with the wheels
that a board downloads. This proves that they install, run and compute the right numbers there; its
times mean nothing.
"""
