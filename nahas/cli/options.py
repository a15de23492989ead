"""The options that commands share, and the decorator that makes a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from nahas.cli.output import Output
from nahas.cli.settings import line_of, read_settings, settings_text
from nahas.datafiles import nearest
from nahas.errors import UsageError
from nahas.hardware import PRESETS

if TYPE_CHECKING:
    from nahas.interop.nest import MappedPoint
    from nahas.vocabulary import Mapspace

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_SEED = 0

HELP_OPTIONS = ("-h", "--help")

EXPORTS = ("timeloop", "accelforge", "zigzag")
"""The keys of `nahas.interop.export.FORMATS`, which help need not import."""


class Command(click.Command):
    """A command with the options that all commands have, and examples below its help.

    Its function gets an `Output` first, then its own options by name. What it returns is the
    exit code: None is 0, 1 a difference, 3 nothing feasible.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self._common = _common_options()
        self.params = [*self.params, *self._common]

    def get_help_option_names(self, _: click.Context) -> list[str]:
        """The spellings of help, whoever makes the context."""
        return list(HELP_OPTIONS)

    def get_short_help_str(self, _: int = 0) -> str:
        """The first sentence of the help, whole."""
        return " ".join((self.help or "").partition("\n\n")[0].split())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, then those of all commands."""
        own = [p for p in self.params if p not in self._common]
        common = [p for p in self.get_params(ctx) if p not in own]
        for title, params in (("Options", own), ("Options of every command", common)):
            records = [r for r in (p.get_help_record(ctx) for p in params) if r is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and say in which line a wrong value of the settings file stands."""
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            raise _placed(ctx, error) from error

    def options_in(self, ctx: click.Context) -> dict[str, Any]:
        """The command's own options and their values, in the order of its help."""
        common = [p.name for p in self._common]
        names = [str(p.name) for p in self.params if p.name not in common]
        return {name: ctx.params[name] for name in names}

    def invoke(self, ctx: click.Context) -> Any:
        """Run with an Output made of the common options, or print the options."""
        common = {str(p.name): ctx.params.pop(str(p.name)) for p in self._common}
        above: dict[str, Any] = ctx.parent.params if ctx.parent else {}
        if common["print_config"]:
            click.echo(settings_text(str(ctx.info_name), self.options_in(ctx)), nl=False)
            return 0
        quiet = common["quiet"] or above.get("quiet", False)
        ctx.obj = Output(
            str(ctx.info_name),
            json=common["json"],
            verbosity=-1 if quiet else common["verbose"] + above.get("verbose", 0),
            debug=common["debug"] or above.get("debug", False),
        )
        return super().invoke(ctx)


def command(name: str, *, examples: tuple[str, ...]) -> Callable[[Callable[..., Any]], Command]:
    """Make a function of an Output and options a command of `nahas`."""

    def make(function: Callable[..., Any]) -> Command:
        passed = click.make_pass_decorator(Output)(function)
        made = click.command(name, cls=Command, examples=examples)(passed)
        assert isinstance(made, Command)  # what cls= says, which click's types do not
        return made

    return make


def talk_options() -> list[click.Option]:
    """How much is said; the group has them too, so that they may stand before the command."""
    return [
        click.Option(["-q", "--quiet"], is_flag=True, help="Print results and errors only."),
        click.Option(["-v", "--verbose"], count=True, help="Print more; may be repeated."),
        click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
    ]


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(["--json"], is_flag=True, help="Print one JSON document on stdout."),
        *talk_options(),
        click.Option(
            ["--config"],
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            envvar="NAHAS_CONFIG",
            is_eager=True,
            expose_value=True,
            callback=_read_config,
            help="Take options from this TOML file; environment and flags are stronger.",
        ),
        click.Option(
            ["--print-config"], is_flag=True, help="Print the options as TOML and do nothing."
        ),
    ]


def _read_config(ctx: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    if value is not None:
        own = ctx.command
        hidden = {str(p.name) for p in getattr(own, "_common", ())}
        keys = [str(p.name) for p in own.params if p.name not in hidden]
        group = ctx.parent.command if ctx.parent else None
        commands = group.commands if isinstance(group, click.Group) else {str(own.name): own}
        ctx.default_map = read_settings(value, str(own.name), keys, commands)
    return value


def _placed(ctx: click.Context, error: click.BadParameter) -> Exception:
    config = ctx.params.get("config")
    name = error.param.name if error.param else None
    if config is None or name is None:
        return error
    if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT_MAP:
        return error
    text = Path(config).read_text(encoding="utf-8")
    spellings = (name, name.replace("_", "-"))
    line = max(line_of(text, ctx.command.name, spelling) for spelling in spellings)
    return UsageError(f"{config}:{line}: {spellings[1]}: {error.message}")


def seed_option(function: F) -> F:
    """`--seed`, fixed unless given, so that a command repeats itself."""
    return click.option(
        "--seed",
        metavar="N",
        type=click.IntRange(min=0),
        default=DEFAULT_SEED,
        show_default=True,
        envvar="NAHAS_SEED",
        help="Seed of everything random.",
    )(function)


def hardware_option(function: F) -> F:
    """`--hardware`, a preset or a YAML file."""
    return click.option(
        "--hardware",
        metavar="PRESET|FILE",
        default="edge-baseline",
        show_default=True,
        help=f"The accelerator: a YAML file, or a preset: {', '.join(PRESETS)}.",
    )(function)


def tables_option(function: F) -> F:
    """`--tables`, the user's energy and area numbers."""
    return click.option(
        "--tables",
        metavar="FOLDER|NAME",
        type=tables_from,
        help="Your own energy and area tables, or a plug-in's, instead of those of nahas.",
    )(function)


def tables_from(text: str | Path) -> Path:
    """The folder of tables that a user names: a path, or a plug-in."""
    if Path(text).exists():
        return Path(text)
    from nahas import plugins

    if str(text) not in plugins.names(plugins.ENERGY_TABLES):
        raise click.BadParameter(
            f"'{text}' is neither a folder nor an installed plug-in: give a folder with your tables"
        )
    return Path(plugins.plugin(plugins.ENERGY_TABLES, str(text))())


def workers_option(function: F) -> F:
    """`--workers`, or `--threads`: threads of the simulator's kernels."""
    return click.option(
        "--workers",
        "--threads",
        metavar="N",
        type=click.IntRange(min=1),
        help="Threads of the simulator; results do not depend on them.  [default: all cores]",
    )(function)


def objective_option(function: F) -> F:
    """`--objective`, what the mapper minimises."""
    return click.option(
        "--objective",
        type=click.Choice(["latency", "energy", "edp"]),
        default="latency",
        show_default=True,
        help="What the mapping of every layer minimises; edp is energy times delay.",
    )(function)


def space_options(function: F) -> F:
    """`--space` and `--dataflow`, where the mapper looks; `mapspace` reads both."""
    function = click.option(
        "--dataflow",
        type=click.Choice(["any", "weight", "output"]),
        default="any",
        show_default=True,
        help="With --space full: only mappings whose local memory keeps weights, or outputs.",
    )(function)
    return click.option(
        "--space",
        type=click.Choice(["dataflows", "full"]),
        default="dataflows",
        show_default=True,
        help="The mappings to look at: an edge compiler's, or all of docs/mapspace.md.",
    )(function)


def mapspace(options: Mapping[str, Any]) -> Mapspace:
    """What `--space` and `--dataflow` ask for."""
    from nahas.vocabulary import Mapspace

    space, dataflow = options["space"], options["dataflow"]
    if dataflow == "any":
        return Mapspace[space.upper()]
    if space != "full":
        raise UsageError(
            f"dataflow is '{dataflow}', a region of the full mapspace: give --space full as well"
        )
    return Mapspace[f"FULL_{dataflow.upper()}"]


def export_option(function: F) -> F:
    """`--export`, a tool and a new folder for the files of every mapped layer."""
    return click.option(
        "--export",
        metavar="TOOL:DIR",
        type=export_from,
        help="Write what is mapped for timeloop, accelforge or zigzag into the new folder DIR.",
    )(function)


def export_from(text: str) -> str:
    """Check TOOL:DIR; the tools are those of `nahas.interop.export.FORMATS`."""
    tool, _, folder = text.partition(":")
    if tool not in EXPORTS or not folder:
        tools = ", ".join(f"{name}:DIR" for name in EXPORTS)
        hint = "" if tool in EXPORTS else nearest(tool, EXPORTS)
        raise click.BadParameter(f"'{text}' is no export{hint}: give {tools}")
    return text


def write_export(out: Output, points: Iterable[MappedPoint], given: str) -> dict[str, Any]:
    """Export mapped layers; say what was written, what was left out, and why the first was.

    Returns what the JSON document adds: all reasons.
    """
    from nahas.interop.export import export

    tool, _, folder = given.partition(":")
    made = export(points, tool, folder)
    written, left_out = len(made.written), len(made.left_out)
    for reason in made.left_out:
        out.detail(f"left out: {reason}")
    if left_out:
        out.warn(
            f"{tool} cannot express {left_out} of {written + left_out} layers, which are left out "
            "(-v names them all, docs/interchange.md 2 says what each tool takes); the first: "
            f"{made.left_out[0]}"
        )
    out.say(f"wrote {written} layers for {tool} to {folder}")
    return {"export": {"tool": tool, "folder": folder, **asdict(made)}}


def announce_compilation(out: Output) -> None:
    """Say that kernels are about to be compiled, where none are kept from before."""
    from nahas.kernels._jit import cache_folder

    if not any(cache_folder().glob("**/*.nbi")):
        out.say("compiling the simulator for this machine, once; this takes about a minute")


def one_of_resume_and_force(options: Mapping[str, Any]) -> None:
    """Refuse to go on and to begin anew at once.

    Raises:
        UsageError: when both are asked for.
    """
    if options["resume"] and options["force"]:
        raise UsageError("--resume goes on and --force begins anew: give one of them")


def use_workers(workers: int | None) -> int:
    """Set the threads of the kernels and return how many there are.

    Raises:
        UsageError: when there are fewer threads to use than asked for.
    """
    import numba

    most = int(numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]  # numba.config fills itself at run time
    if workers is None:
        return int(numba.get_num_threads())
    if workers > most:
        raise UsageError(f"--workers is {workers}, but there are {most} threads: use 1 to {most}")
    numba.set_num_threads(workers)
    return workers


SECONDS = MappingProxyType({"s": 1.0, "m": 60.0, "h": 3600.0})


def seconds(value: str | float) -> float:
    """Read seconds above 0, given as a number or like '90s', '5m', '2h'."""
    text = str(value).strip().lower()
    unit = SECONDS.get(text[-1:])
    try:
        read = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        read = 0.0
    if not 0 < read < float("inf"):
        raise click.BadParameter(f"{value!r} is no time: give seconds above 0, or like 90s, 5m, 2h")
    return read


def saved_options(ctx: click.Context, path: Path) -> dict[str, Any]:
    """Options that a run has saved and that this command line does not give itself."""
    if not path.is_file():
        return {}
    params = {str(param.name): param for param in ctx.command.params}
    saved = read_settings(path, str(ctx.command.name), params, [str(ctx.command.name)])
    return {
        name: params[name].type_cast_value(ctx, value)
        for name, value in saved.items()
        if ctx.get_parameter_source(name) is ParameterSource.DEFAULT
    }
