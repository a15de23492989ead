"""Running the command line: in this process, in another, and on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from nahas.cli.main import run


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Nahas = Callable[..., Ran]


@pytest.fixture
def nahas(capsys: pytest.CaptureFixture[str]) -> Nahas:
    """Run a command line in this process."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return call


def command_line(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from nahas.cli.main import main; main()", *map(str, arguments)]


@pytest.fixture
def process() -> Nahas:
    """Run a command line in a process of its own."""

    def call(*arguments: object, **environment: str) -> Ran:
        done = subprocess.run(
            command_line(*arguments),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **environment},
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


def _read_all(descriptor: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux says EIO when the last writer has gone
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


@pytest.fixture
def terminal() -> Nahas:
    """Run a command line with stdout on a pseudo-terminal; stderr too, unless it is piped."""

    def call(arguments: Sequence[object], *, pipe_stderr: bool = False, **environment: str) -> Ran:
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            command_line(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE if pipe_stderr else theirs,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        os.close(theirs)
        try:
            out = _read_all(ours)
            err = child.communicate(timeout=120)[1] or b""
        finally:
            os.close(ours)
        return Ran(child.returncode, out.replace("\r\n", "\n"), err.decode())

    return call
