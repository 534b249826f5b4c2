"""A radiograph and a model file → scores."""
