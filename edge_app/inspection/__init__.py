"""What models and backends there are on this machine, and whether they work."""
