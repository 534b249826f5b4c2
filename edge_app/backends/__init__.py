"""What computes: one file per interpreter and per delegate, tried before they are trusted."""
