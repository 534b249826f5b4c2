"""Tools of the repository itself: what generates code, and what compares versions."""
