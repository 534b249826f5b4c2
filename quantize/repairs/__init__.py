"""Repairs: changes of a folded network that make its rounding to int8 more exact; one a file."""
