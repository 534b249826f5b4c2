"""Training on a machine that has a GPU and no network: what travels there, and what comes back."""
