"""`python -m nahas` is the command `nahas`."""

from nahas.cli.main import main

if __name__ == "__main__":
    main()
