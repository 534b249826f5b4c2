"""The manual as a site: `make docs` builds it of `docs/`, README and the code itself."""
