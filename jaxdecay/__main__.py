"""`python -m jaxdecay`, and the command `jaxdecay`."""


def main() -> None:
    """Runs the command line, or says which packages it needs."""
    try:
        from jaxdecay.cli import app
        from jaxdecay.exits import log_in_lines
    except ModuleNotFoundError as error:
        raise SystemExit(f"error: {error}; install jaxdecay with [sweep]") from None
    log_in_lines()
    app()


if __name__ == "__main__":
    main()
