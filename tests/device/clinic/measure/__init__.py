"""What the box is held to, measured: `python -m tests.device.clinic.measure --help`."""
