"""What can be done to a folded network before int8 rounds it: one repair a file."""
