"""`python -m train fit` and `python -m train evaluate`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow starts talking

from train.cli import main

if __name__ == "__main__":
    main()
