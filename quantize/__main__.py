"""`python -m quantize int8`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow starts talking

from quantize.cli import main

if __name__ == "__main__":
    main()
