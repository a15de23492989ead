"""Settings file, environment and flags: their strength, their errors, the round trip."""

from __future__ import annotations

import tomllib

import click
import pytest

from nahas.cli import main
from nahas.cli.options import command, seed_option
from nahas.cli.settings import line_of, settings_text


@pytest.fixture
def told(monkeypatch):
    """A command `tell` that notes the options it ran with."""
    seen: list[dict[str, object]] = []

    @command("tell", examples=("nahas tell",))
    @click.option("--space", default="mnasnet", help="A word.")
    @click.option(
        "--trials", "--max-trials", type=click.IntRange(min=1), default=10, help="A number."
    )
    @click.option("--time-limit", type=float, help="Seconds.")
    @click.option("--hard/--soft", default=True, help="A switch.")
    @seed_option
    def tell(out, **options):
        seen.append(options)

    monkeypatch.setitem(main.nahas.commands, "tell", tell)
    return seen


def written(tmp_path, text):
    path = tmp_path / "nahas.toml"
    path.write_text(text)
    return path


def test_file_then_environment_then_flag(nahas, told, tmp_path, monkeypatch):
    path = written(tmp_path, "[tell]\ntrials = 20\nspace = 'macro'\ntime-limit = 3.5\n")
    assert nahas("tell", "--config", path).code == 0
    monkeypatch.setenv("NAHAS_TELL_TRIALS", "30")
    assert nahas("tell", "--config", path).code == 0
    assert nahas("tell", "--config", path, "--trials", "40").code == 0
    assert [options["trials"] for options in told] == [20, 30, 40]
    assert told[2]["space"] == "macro"
    assert told[2]["time_limit"] == 3.5


def test_config_and_seed_have_variables_for_every_command(nahas, told, tmp_path, monkeypatch):
    monkeypatch.setenv("NAHAS_CONFIG", str(written(tmp_path, "[tell]\ntrials = 20\n")))
    monkeypatch.setenv("NAHAS_SEED", "9")
    assert nahas("tell").code == 0
    assert (told[0]["trials"], told[0]["seed"]) == (20, 9)


def test_an_underscore_is_a_dash(nahas, told, tmp_path):
    assert nahas("tell", "--config", written(tmp_path, "[tell]\ntime_limit = 2\n")).code == 0
    assert told[0]["time_limit"] == 2


def test_print_config_round_trip(nahas, told, tmp_path):
    given = ("--trials", "77", "--soft", "--space", 'a "b" \\ c')
    first = nahas("tell", *given, "--print-config")
    assert first.code == 0
    assert told == []
    path = written(tmp_path, first.out)
    assert nahas("tell", "--config", path, "--print-config").out == first.out
    assert nahas("tell", "--config", path).code == 0
    assert told[0] == {
        "trials": 77,
        "space": 'a "b" \\ c',
        "time_limit": None,
        "hard": False,
        "seed": 0,
    }


def test_printed_defaults_are_toml(nahas, told):
    printed = nahas("tell", "--print-config").out
    assert tomllib.loads(printed) == {
        "tell": {"space": "mnasnet", "trials": 10, "hard": True, "seed": 0}
    }
    assert "# time-limit is not set" in printed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tell]\nspace = 'x'\ntrails = 3\n",
            ":3: unknown option 'trails' of 'tell'; did you mean 'trials'?",
        ),
        ("[tel]\n", ":1: unknown command 'tel'; did you mean 'tell'?"),
        ("tell = 3\n", "'tell' must be a table"),
        ("[tell]\ntrials = 'many'\n", ":2: trials: 'many' is not a valid integer"),
        ("[tell]\n\ntrials = 0\n", ":3: trials: 0 is not in the range"),
        ("[tell\n", "not TOML"),
        ("[tell]\nxyzzy = 1\n", "known are hard, seed, space, time-limit, trials"),
    ],
)
def test_errors_name_file_line_and_key(nahas, told, tmp_path, text, said):
    path = written(tmp_path, text)
    ran = nahas("tell", "--config", path)
    assert ran.code == 2
    assert str(path) in ran.err
    assert said in ran.err
    assert told == []


def test_a_wrong_flag_is_not_blamed_on_the_file(nahas, told, tmp_path):
    path = written(tmp_path, "[tell]\ntrials = 5\n")
    ran = nahas("tell", "--config", path, "--trials", "0")
    assert ran.code == 2
    assert str(path) not in ran.err
    assert "--trials" in ran.err


def test_other_commands_tables_do_not_matter(nahas, told, tmp_path):
    path = written(tmp_path, "[doctor]\ngpu = false\n\n[tell]\ntrials = 5\n")
    assert nahas("tell", "--config", path).code == 0
    assert told[0]["trials"] == 5


def test_a_missing_or_binary_file(nahas, told, tmp_path):
    assert nahas("tell", "--config", tmp_path / "none.toml").code == 2
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    ran = nahas("tell", "--config", binary)
    assert ran.code == 2
    assert "cannot read the settings file" in ran.err


def test_line_of_looks_in_the_right_table():
    text = "[a]\nkey = 1\n[b]\n'key' = 2\n"
    assert line_of(text, "a", "key") == 2
    assert line_of(text, "b", "key") == 4
    assert line_of(text, None, "b") == 3
    assert line_of(text, "b", "none") == 1


def test_settings_text_writes_lists():
    text = settings_text("report", {"export": ("csv", "json")})
    assert tomllib.loads(text) == {"report": {"export": ["csv", "json"]}}
