"""Two reports → deltas with intervals, gates, a page."""
