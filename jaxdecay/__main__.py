"""`python -m jaxdecay`, and the command `jaxdecay`."""


def main() -> None:
    """Runs the command line, or says which packages it needs."""
    try:
        from jaxdecay.cli import app
    except ModuleNotFoundError as error:
        raise SystemExit(f"error: {error}; install jaxdecay with [sweep]") from None
    app()


if __name__ == "__main__":
    main()
