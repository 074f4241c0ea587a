"""`python -m jaxdecay`, and the command `jaxdecay`."""


def main() -> None:
    """Runs the command line, or says which packages it needs."""
    try:
        from jaxdecay.cli.commands import app
        from jaxdecay.cli.exits import log_in_lines
        from jaxdecay.cli.streams import degrade, drop_unwritten
    except ModuleNotFoundError as error:
        raise SystemExit(f"error: {error}; install jaxdecay with [sweep]") from None
    degrade()
    log_in_lines()
    try:
        app()
    finally:
        drop_unwritten()


if __name__ == "__main__":
    main()
