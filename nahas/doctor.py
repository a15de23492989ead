"""What nahas stands on here, and what is amiss: nothing is changed, nothing crashes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import nahas
from nahas import plugins
from nahas.manifest import cpu_name, installed_version, usable_cores, versions

REQUIRED = ("numba", "numpy", "scipy", "click", "rich", "matplotlib", "pillow", "pyyaml")
FOR_SEARCH = ("tensorflow", "keras")
SIMD_FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512vnni", "neon", "dotprod", "sve")
GPU_SECONDS = 120.0
"""How long TensorFlow may take to name its GPUs; a cold import takes 20 s."""

_ASK_FOR_GPUS = (
    "import tensorflow as tf;"
    "print('\\n'.join('gpu:' + d.name for d in tf.config.list_physical_devices('GPU')))"
)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What `diagnose` found.

    Attributes:
        versions: of nahas, Python and distributions; None where absent.
        threads: cores and threads of the simulator, and the layer that runs them.
        simd: the processor, and which of `SIMD_FEATURES` compiled kernels may use.
        cache: folder of the compiled kernels, its megabytes, whether it can be written.
        gpus: names of TensorFlow's GPUs; None when they could not be asked for.
        extras: for each extra of the distribution, what of it is missing.
        plugins: for each entry-point group, the names found.
        notes: sentences about what works less well than it could.
        problems: sentences about what does not work.
    """

    versions: dict[str, str | None]
    threads: dict[str, Any]
    simd: dict[str, Any]
    cache: dict[str, Any]
    gpus: list[str] | None
    extras: dict[str, list[str]]
    plugins: dict[str, list[str]]
    notes: list[str]
    problems: list[str]


def version_line() -> str:
    """One line for `--version`; TensorFlow is not imported."""
    found = versions()
    others = ", ".join(
        f"{name} {found[name] or 'absent'}" for name in ("numba", "numpy", "tensorflow", "keras")
    )
    return (
        f"nahas {nahas.__version__} (Python {found['python']}, {others}, {usable_cores()} threads)"
    )


def diagnose(*, ask_for_gpus: bool = True) -> Diagnosis:
    """Look at the installation and the machine."""
    found = versions()
    missing = [name for name in REQUIRED if found[name] is None]
    problems = [f"{name} is not installed: run 'pip install nahas'" for name in missing]
    notes = [
        f"{name} is not installed: the simulator works, PPO and training do not"
        for name in FOR_SEARCH
        if found[name] is None
    ]
    simulator = "numba" not in missing and "numpy" not in missing
    cache = _cache() if simulator else {}
    if cache and not cache["writable"]:
        notes.append(
            f"the cache folder {cache['folder']} cannot be written, so every start compiles the "
            "kernels again: set NUMBA_CACHE_DIR to a folder of yours"
        )
    gpus = _gpus() if ask_for_gpus and found["tensorflow"] else None
    return Diagnosis(
        versions=found,
        threads=_threads() if simulator else {},
        simd=_simd() if simulator else {},
        cache=cache,
        gpus=gpus,
        extras=_extras(),
        plugins={group: list(plugins.names(group)) for group in plugins.GROUPS},
        notes=notes,
        problems=problems,
    )


def _threads() -> dict[str, Any]:
    import numba

    return {
        "cores": usable_cores(),
        "simulator": int(numba.get_num_threads()),
        "NUMBA_NUM_THREADS": os.environ.get("NUMBA_NUM_THREADS"),
    }


def _simd() -> dict[str, Any]:
    binding: Any = import_module("llvmlite.binding")  # has no types
    features = binding.get_host_cpu_features()
    return {
        "cpu": cpu_name(),
        "llvm_target": binding.get_host_cpu_name(),
        "features": [name for name in SIMD_FEATURES if features.get(name)],
    }


def _cache() -> dict[str, Any]:
    from nahas.kernels import _jit

    folder = _jit.cache_folder()
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {
        "folder": str(folder),
        "files": len(files),
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 2),
        "writable": folder.is_dir() and os.access(folder, os.W_OK),
    }


def _gpus() -> list[str] | None:
    """GPUs that TensorFlow sees, asked in a process of its own, so that none can crash this."""
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _ASK_FOR_GPUS],
            capture_output=True,
            text=True,
            timeout=GPU_SECONDS,
            check=False,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            cwd=Path(sys.prefix),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    return [line[4:] for line in answer.stdout.splitlines() if line.startswith("gpu:")]


def _extras() -> dict[str, list[str]]:
    """For each extra of the installed distribution the names that it lacks."""
    try:
        lines = requires("nahas") or []
    except PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in lines:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        name = re.match(r"[\w.-]+", line)
        if extra and name and name[0] != "nahas":
            missing = found.setdefault(extra[1], [])
            if installed_version(name[0]) is None:
                missing.append(name[0])
    return found
