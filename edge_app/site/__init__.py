"""A site's own labelled radiographs → what answers mean there, and whether that still holds."""
