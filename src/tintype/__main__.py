"""`python -m tintype` is the `tintype` command."""

from tintype.cli import main

main()
