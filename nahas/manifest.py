"""What a run was made with: versions, source, machine, options, time."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nahas
from nahas.files import json_text

STANDS_ON = (
    "numba",
    "llvmlite",
    "numpy",
    "scipy",
    "tensorflow",
    "keras",
    "click",
    "rich",
    "matplotlib",
    "pillow",
    "pyyaml",
)
"""Distributions whose versions can change a result or its printing."""

SCHEMA_VERSION = 1


def versions() -> dict[str, str | None]:
    """Version of nahas, Python and every distribution of `STANDS_ON`; None where absent."""
    return {
        "nahas": nahas.__version__,
        "python": platform.python_version(),
        **{name: installed_version(name) for name in STANDS_ON},
    }


def installed_version(name: str) -> str | None:
    """Version of a distribution, read without importing it; None where it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def source_commit() -> str | None:
    """The git commit of the checkout that nahas runs from; None where it is installed."""
    root = Path(nahas.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def options_hash(options: Mapping[str, Any]) -> str:
    """The same for the same options: 16 hexadecimal digits."""
    ordered = json_text(dict(sorted(options.items())))
    return hashlib.sha256(ordered.encode()).hexdigest()[:16]


def manifest(
    command: str, options: Mapping[str, Any], *, seed: int, threads: int, wall_seconds: float
) -> dict[str, Any]:
    """Everything that is needed to do a run again, and what it took."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "options": dict(options),
        "options_hash": options_hash(options),
        "seed": seed,
        "versions": versions(),
        "commit": source_commit(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": threads,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 3),
    }
