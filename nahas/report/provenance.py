"""Where a study comes from: the command that repeats it, versions, machine, time."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nahas
from nahas.report.summary import accelerator_text, target_text
from nahas.strategies import SearchResult

OPTIONS_FILE = "options.toml"
MANIFEST_FILE = "manifest.json"
"""What `nahas cosearch` writes beside a study."""

OF_THE_RUN = ("commit", "platform", "cpu", "cores", "threads", "wall_seconds")
"""What is told of a manifest; options, seed and versions are the study's own."""

TARGETS = {
    "latency": "latency_ms",
    "energy": "energy_mj",
    "area": "area_mm2",
    "parameters": "parameters",
}
"""The command's targets, and the metrics that they limit."""

SET_OUT_FROM = {"fixed-accelerator": "accelerator", "phase-network": "accelerator"}
"""The option that says from where a strategy sets out; 'network' of the others."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What lies beside a study; empty where it is kept in memory alone.

    Attributes:
        settings: the options of its command, where they lie beside it.
        manifest: of its last run, where that lies beside it.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)


def provenance(result: SearchResult) -> Provenance:
    """Read what lies beside a study; a file beside it that cannot be read says nothing."""
    if result.study is None:
        return Provenance()
    return Provenance(
        settings=saved_settings(result.study.parent),
        manifest=_manifest(result.study.parent),
    )


def saved_settings(folder: Path) -> dict[str, Any]:
    """The options of `nahas cosearch` in a run folder; none where there are none to be read."""
    try:
        read = tomllib.loads((folder / OPTIONS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    settings = read.get("cosearch")
    return settings if isinstance(settings, dict) else {}


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        read = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def command_text(result: SearchResult, settings: Mapping[str, Any]) -> str:
    """The command that searches the same trials again, into another folder.

    All options are named, so that it means the same when defaults change. A search that was
    not begun by the command has no saved options: then those that its study keeps.
    """
    told = dict(settings) or _options(result)
    trials = result.options.get("strategy_trials", max(len(result.trials), 1))
    told |= {"seed": result.seed, "trials": trials}
    words = ["nahas", "cosearch"]
    for name, value in told.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value is not False and value is not None:
            words += [flag, str(value)]
    folder = result.study.parent.name if result.study else "run"
    return shlex.join([*words, "--run-dir", f"{folder or 'run'}-again"])


def _options(result: SearchResult) -> dict[str, Any]:
    """The command's options as far as a study keeps them."""
    options = result.options
    limits = options.get("targets", {})
    targets = {name: limits.get(metric, "none") for name, metric in TARGETS.items()}
    if result.front is not None:
        targets = {"pareto": True}
        options = {name: value for name, value in options.items() if name != "reward"}
    names = ("hardware_space", "strategy", "controller", "batch", "reward", "objective")
    exponents = zip(("reward_p", "reward_q"), options.get("reward_exponents", ()), strict=False)
    return {
        "space": result.joint.network_space.place,
        **{name: options[name] for name in names if name in options},
        **dict(exponents),
        **targets,
        **_of_strategy(options),
    }


def _of_strategy(options: Mapping[str, Any]) -> dict[str, Any]:
    told = {}
    if "strategy_share" in options:
        told["phase_share"] = options["strategy_share"]
    if "strategy_from" in options:
        origin = options["strategy_from"]
        if isinstance(origin, Mapping):
            origin = ",".join(f"{name}={value}" for name, value in origin.items())
        told[SET_OUT_FROM.get(options["strategy"], "network")] = origin
    return told


def facts(result: SearchResult, of: Provenance) -> dict[str, str]:
    """What is known of a search, in words, by name."""
    base = result.baseline
    told: dict[str, Any] = {
        "accuracy": result.accuracy_label,
        "targets": "none: Pareto mode" if result.front is not None else target_text(result.targets),
        "seed": result.seed,
        "baseline design": (
            f"{base.network} on {accelerator_text(base.hardware)}: {base.accuracy:.2f} %, "
            f"{base.latency_ms:.3g} ms, {base.energy_mj:.3g} mJ, {base.area_mm2:.3g} mm²"
        ),
        **{name: result.options[name] for name in sorted(result.options) if name != "targets"},
        "first trial": when(float(result.trials.time[0])) if len(result.trials) else "",
        **{name: of.manifest[name] for name in OF_THE_RUN if of.manifest.get(name) is not None},
        "versions": result.versions,
        "fingerprints": result.fingerprints,
        "page drawn by": f"nahas {nahas.__version__}",
    }
    return {name.replace("_", " "): text for name, v in told.items() if (text := _flat(v))}


def when(seconds: float) -> str:
    """A time in seconds since 1970 as people write it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(value[key])}" for key in sorted(value))
    return str(value)
