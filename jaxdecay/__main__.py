"""`python -m jaxdecay`."""

from jaxdecay.cli import main

main()
