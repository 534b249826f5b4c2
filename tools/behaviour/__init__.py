"""What every command does, recorded, so that two versions of the package can be held together."""
