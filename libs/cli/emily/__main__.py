"""`python -m emily`."""

from emily.app import main

main()
