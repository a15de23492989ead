"""What an import may bring in, and where the tests take nahas from."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nahas

HEAVY = ("tensorflow", "keras", "torch", "scipy.stats", "matplotlib")
LIGHT_MODULES = (
    "nahas",
    "nahas.cli.main",
    "nahas.simulate",
    "nahas.cosearch",
    "nahas.spaces.mnasnet",
    "nahas.spaces.macro",
    "nahas.accuracy.table",
    "nahas.accuracy.surrogate",
    "nahas.controllers.ppo",
    "nahas.controllers.reinforce",
    # PyTorch is a backend of Keras that few have: it is imported where its operations are made.
    "nahas.children.torch_operations",
)


def modules() -> list[str]:
    found = pkgutil.walk_packages(nahas.__path__, prefix="nahas.")
    return sorted(module.name for module in found)


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_import_stays_light(module: str) -> None:
    program = (
        f"import sys, {module}\nprint(*[name for name in {HEAVY!r} if name in sys.modules], end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", f"import {module} brings in {done.stdout}"


@pytest.mark.parametrize("module", modules())
def test_every_name_of_all_exists(module: str) -> None:
    names = getattr(importlib.import_module(module), "__all__", ())
    assert sorted(set(names)) == sorted(names), "__all__ repeats a name"
    assert all(hasattr(importlib.import_module(module), name) for name in names)


def test_root_exports_what_all_says() -> None:
    public = {
        name
        for name, value in vars(nahas).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    assert public <= set(nahas.__all__)


def test_tests_read_the_installed_wheel() -> None:
    if not os.environ.get("NAHAS_TESTS_INSTALLED"):
        pytest.skip("only where tox has installed the wheel")
    assert Path(sys.prefix).resolve() in Path(nahas.__file__).resolve().parents


def test_version_is_the_one_of_the_metadata(root: Path) -> None:
    from importlib.metadata import version

    assert version("nahas") == nahas.__version__
    assert f"[{nahas.__version__}]" in (root / "CHANGELOG.md").read_text()


def test_pyproject_holds_only_the_build_and_ruff(root: Path) -> None:
    table = tomllib.loads((root / "pyproject.toml").read_text())
    assert set(table) == {"build-system", "tool"}
    assert set(table["tool"]) == {"ruff"}
