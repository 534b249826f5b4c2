"""How fast this machine answers, with confidence intervals, and the conditions of measurement."""
