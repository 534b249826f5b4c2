"""edge-cxr on the device: chest radiographs scored by int8 networks, offline.

Research software, not a medical device.
"""

__version__ = "0.1.0"

DISCLAIMER = "Research software, not a medical device: a score is not a diagnosis."
