"""The manifest of a run says what is needed to do it again."""

from __future__ import annotations

import json
import subprocess

import nahas
from nahas import manifest as module
from nahas.files import json_text
from nahas.manifest import installed_version, manifest, options_hash, source_commit, usable_cores


def test_manifest_holds_versions_machine_seed_and_time():
    made = manifest("cosearch", {"trials": 5}, seed=3, threads=2, wall_seconds=1.23456)
    document = json.loads(json_text(made))
    assert document["schema_version"] == 1
    assert document["versions"]["nahas"] == nahas.__version__
    assert document["seed"] == 3
    assert document["wall_seconds"] == 1.235
    assert document["cores"] == usable_cores()
    assert document["cpu"]


def test_options_hash_ignores_order_and_sees_values():
    assert options_hash({"a": 1, "b": 2}) == options_hash({"b": 2, "a": 1})
    assert options_hash({"a": 1}) != options_hash({"a": 2})


def test_absent_distribution_is_none():
    assert installed_version("no-such-distribution") is None
    assert installed_version("numpy")


def test_commit_is_none_without_a_checkout_or_without_git(monkeypatch, tmp_path):
    monkeypatch.setattr(module.nahas, "__file__", str(tmp_path / "nahas" / "__init__.py"))
    assert source_commit() is None
    (tmp_path / ".git").mkdir()

    def no_git(*arguments, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    assert source_commit() is None
