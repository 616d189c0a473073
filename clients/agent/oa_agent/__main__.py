"""`python -m oa_agent` is `oa-agent`."""

from oa_agent.cli import main

main()
