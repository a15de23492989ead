"""The group: help, exit codes, one-sentence errors, and what it imports."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

import nahas as package
from nahas.cli import main
from nahas.errors import HardwareError

COMMANDS = sorted(main.nahas.commands)
HEAVY = ("tensorflow", "keras", "scipy", "matplotlib", "numba", "numpy", "rich")


@pytest.fixture
def failing(monkeypatch):
    """A command `fail` that raises whatever the test puts into the list."""
    errors: list[BaseException] = []

    @click.command("fail")
    def fail() -> None:
        raise errors[0]

    monkeypatch.setitem(main.nahas.commands, "fail", fail)
    return errors


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_options_and_examples(nahas, command):
    ran = nahas(command, "--help")
    assert ran.code == 0
    assert f"Usage: nahas {command}" in ran.out
    assert "Examples:\n  nahas " in ran.out
    for option in main.nahas.commands[command].params:
        if isinstance(option, click.Option):
            assert option.help, f"{command} {option.name} has no help"
            assert option.opts[0] in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_parse(command):
    made = main.nahas.commands[command]
    for example in made.examples:
        words = example.split()
        assert words[:2] == ["nahas", command]
        parser = made.make_parser(click.Context(made, resilient_parsing=True))
        parser.parse_args(words[2:])


def test_help_lists_every_command_with_a_sentence(nahas):
    ran = nahas("--help")
    assert ran.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ran.out
    assert "..." not in ran.out.partition("Commands:")[2]


def test_help_imports_nothing_heavy():
    script = (
        "import sys; from nahas.cli.main import run;"
        f"[run([*c.split(), '--help']) for c in {['', *COMMANDS]!r}];"
        f"print([n for n in {HEAVY!r} if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.strip() == "[]"


def test_no_command_shows_the_help(nahas):
    ran = nahas()
    assert ran.code == 2
    assert "Usage: nahas" in ran.err


def test_version_names_what_it_stands_on_without_tensorflow(process):
    ran = process("--version")
    assert ran.code == 0
    assert ran.out.startswith(f"nahas {package.__version__} (Python ")
    for name in ("numba", "tensorflow", "threads"):
        assert name in ran.out
    assert ran.err == ""


@pytest.mark.parametrize("wrong", [["simulat"], ["docter"], ["coserch"]])
def test_unknown_command_offers_the_nearest(nahas, wrong):
    ran = nahas(*wrong)
    assert ran.code == 2
    assert ran.out == ""
    assert "did you mean '" in ran.err
    assert ran.err.count("\n") == 1


def test_unknown_option_offers_the_nearest(nahas):
    ran = nahas("doctor", "--jsn")
    assert ran.code == 2
    assert "--json" in ran.err
    assert "see 'nahas doctor --help'" in ran.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (HardwareError("pes_x is 0: use 1 or more"), 2, "pes_x is 0: use 1 or more"),
        (PermissionError(13, "Permission denied", "runs/x"), 2, "'runs/x': Permission denied"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (MemoryError(), 2, "not enough memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("by zero"), 1, "a fault in nahas, ZeroDivisionError: by zero"),
    ],
)
def test_errors_are_one_sentence_with_their_exit_code(nahas, failing, error, code, said):
    failing.append(error)
    ran = nahas("fail")
    assert ran.code == code
    assert ran.out == ""
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_debug_shows_the_traceback_and_the_sentence(nahas, failing):
    failing.append(HardwareError("pes_x is 0"))
    main.nahas.commands["fail"].params.append(
        click.Option(["--debug"], is_flag=True, expose_value=False)
    )
    ran = nahas("fail", "--debug")
    assert ran.code == 2
    assert "Traceback" in ran.err
    assert ran.err.strip().endswith("error: pes_x is 0")


def test_debug_from_the_environment(nahas, failing, monkeypatch):
    failing.append(HardwareError("pes_x is 0"))
    monkeypatch.setenv("NAHAS_DEBUG", "1")
    assert "Traceback" in nahas("fail").err


def test_a_closed_pipe_is_not_an_error_message():
    script = "import sys; from nahas.cli.main import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-c", script, "doctor", "--no-gpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    said = child.stderr.read().decode()
    child.stderr.close()
    assert child.wait(60) == 1
    assert said == ""


def test_completion_script_is_printed(process):
    ran = process(_NAHAS_COMPLETE="bash_source")
    assert "_NAHAS_COMPLETE=bash_complete" in ran.out


def test_python_m_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "nahas", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("nahas ")


def test_an_interrupt_during_imports_exits_with_130_and_one_sentence():
    program = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'nahas.cli.cosearch': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from nahas.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "error: interrupted\n"
