"""Measurements of what quantization does: one study a file."""
