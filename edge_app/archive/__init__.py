"""Archives of any size: every source answered once, in Parquet, whenever the work is broken off."""
