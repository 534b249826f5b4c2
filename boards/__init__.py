"""The boards the device application is for, on a machine that is none of them.

A sysroot of Debian packages and qemu's user-mode emulation run a board's own Python with the wheels
that a board downloads: it proves that they install, run and give the right numbers there. Its times
mean nothing.
"""
