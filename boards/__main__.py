"""`python -m boards`."""

from boards.cli import main

main()
