"""The command `nahas`: its group, its exit codes, and how it says that something is wrong.

Exit codes: 0 done; 1 a check found a difference; 2 options or files that cannot be used;
3 nothing feasible was found; 130 interrupted (what was found is saved).
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from nahas.cli.cosearch import cosearch
from nahas.cli.doctor import doctor
from nahas.cli.export import export
from nahas.cli.export_child import export_child
from nahas.cli.fit_surrogate import fit_surrogate
from nahas.cli.map import map_command
from nahas.cli.options import HELP_OPTIONS, talk_options
from nahas.cli.output import wants_colour
from nahas.cli.report import report
from nahas.cli.settings import did_you_mean
from nahas.cli.simulate import simulate
from nahas.cli.studies import studies
from nahas.cli.tile_bench import tile_bench
from nahas.cli.train_child import train_child
from nahas.cli.train_costmodel import train_costmodel
from nahas.cli.train_supernet import train_supernet
from nahas.cli.validate import validate
from nahas.errors import NahasError

EXIT_DIFFERENCE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class Group(click.Group):
    """A group that keeps the order of its commands and names the nearest for an unknown one."""

    def get_help_option_names(self, _: click.Context) -> list[str]:
        """The spellings of help, as every command has them."""
        return list(HELP_OPTIONS)

    def list_commands(self, _: click.Context) -> list[str]:
        """The commands in the order in which people meet them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may be meant."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.commands:
            raise click.UsageError(
                f"unknown command '{name}'{did_you_mean(name, self.commands)}", ctx
            )
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from nahas.doctor import version_line

        click.echo(version_line())
        ctx.exit()


@click.group(
    cls=Group,
    params=[
        *talk_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the versions of nahas and of what it stands on.",
        ),
    ],
    context_settings={"auto_envvar_prefix": "NAHAS"},
    epilog="`nahas COMMAND --help` shows a command's options and examples.",
)
def nahas(**_: Any) -> None:
    """Search neural networks and the edge accelerator that runs them, together."""


for _command in (
    cosearch,
    studies,
    report,
    export,
    simulate,
    map_command,
    tile_bench,
    validate,
    train_costmodel,
    train_child,
    train_supernet,
    export_child,
    fit_surrogate,
    doctor,
):
    nahas.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors are one sentence on stderr."""
    try:
        code = nahas.main(
            list(arguments),
            prog_name="nahas",
            standalone_mode=False,
            color=wants_colour(sys.stdout),
        )
    except BaseException as error:
        code, message = _verdict(error)
        if message and ("--debug" in arguments or os.environ.get("NAHAS_DEBUG")):
            traceback.print_exception(error)
        if message:
            click.echo(f"error: {message}", err=True)
    return code if isinstance(code, int) else 0


def _verdict(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence for an error."""
    code, message = EXIT_USAGE, ""
    match error:
        case SystemExit():
            code = error.code if isinstance(error.code, int) else EXIT_DIFFERENCE
        case KeyboardInterrupt() | click.Abort():
            code, message = EXIT_INTERRUPTED, "interrupted"
        case click.ClickException():
            message = _with_hint(error)
        case NahasError():
            message = str(error)
        case OSError():
            where = f"'{error.filename}': " if error.filename else ""
            message = f"{where}{error.strerror or error}"
        case MemoryError():
            message = "not enough memory: try fewer trials or a smaller batch"
        case _:
            code = EXIT_DIFFERENCE
            message = (
                f"a fault in nahas, {type(error).__name__}: {error} (please report it with the "
                "output of the same command with --debug)"
            )
    return code, message


def _with_hint(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message} (see '{context.command_path} --help')" if context else message


def main() -> None:
    """The entry point."""
    # Where colorama is installed, Numba has it write an escape sequence to stdout at exit.
    os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
    sys.exit(run(sys.argv[1:]))
