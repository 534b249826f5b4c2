"""Tools of the repository: generators of code and files, and the comparison of versions."""
