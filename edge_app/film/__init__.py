"""A photograph of a film or a screen → the radiograph in it; needs OpenCV (the `opencv` extra)."""
