"""`python -m oa_server` is `oa`."""

from oa_server.cli import main

main()
