"""Run the command line: ``python -m faast``."""

from faast.cli.main import main

if __name__ == "__main__":
    main()
