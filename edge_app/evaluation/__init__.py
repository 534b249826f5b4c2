"""Labelled radiographs → an evaluation report."""
