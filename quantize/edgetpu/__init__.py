"""The Edge TPU of a Coral: which operations it would run, and compiling a network for it."""
