"""A network that was trained elsewhere → a model file, held to its original."""
