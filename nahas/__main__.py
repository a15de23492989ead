"""`python -m nahas` is the command `nahas`, and so is the script of that name."""

import sys


def main() -> None:
    """The entry point of the command: an interrupt has one answer from the first import on."""
    try:
        from nahas.cli.main import main as run
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
