"""Labelled data sets of all forms as one: one file a form, one line of `registry.py` for each."""
