"""Recordings of what every command does, to compare two versions of the package."""
