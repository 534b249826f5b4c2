"""The page: what came in, what was answered, and what readers make of it, for a browser."""
