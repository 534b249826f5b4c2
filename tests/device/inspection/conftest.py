from ..backends.conftest import alone, cache, delegate, gcc, replace_runtimes  # noqa: F401
