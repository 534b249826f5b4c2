"""The model file: manifest, reading and writing, preprocessing, calibration, input check."""
