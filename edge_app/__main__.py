"""`python -m edge_app`: the same as `edge-cxr`."""

from edge_app.cli import main

main()
