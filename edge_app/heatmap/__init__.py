"""Where in a radiograph a score comes from: the class-activation map over the picture."""
