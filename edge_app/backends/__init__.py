"""What computes: one file a backend behind one protocol, tried before it is trusted."""
