"""A place's own labelled radiographs → what its answers mean there, and whether that still holds."""
