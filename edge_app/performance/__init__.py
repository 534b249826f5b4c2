"""How fast this machine answers, how sure that is, and what the machine was doing meanwhile."""
