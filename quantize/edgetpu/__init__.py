"""The Edge TPU (Coral): what of a network would run on it, and compiling it for it."""
