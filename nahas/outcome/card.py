"""The card of an outcome: everything that is known of a design, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from nahas.designs import Design
from nahas.files import plain
from nahas.report.network import network_document
from nahas.report.summary import UNITS, WORDS, accelerator_text, significant
from nahas.simulate import NetworkCost

SCHEMA_VERSION = 1
"""Version of the card; `check` refuses any other."""

LICENCE = (
    "The files were written by nahas, which is under the Apache License 2.0; rebuild.py runs it. "
    "nahas claims nothing of the network, the accelerator or their numbers. Measured accuracies, "
    "and images that a network was trained on, stay under the terms of those who published them."
)

NOT_TRAINED = "not trained: its weights are random, drawn with seed 0"

LAYER = ("name", "kind", "shape", "macs", "parameters", "cycles", "bound", "energy_pj", "dataflow")
"""What the card says of a layer; layers.json and layers.csv say all."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Facts about a design that was exported.

    Attributes:
        network: its name, as a search prints it.
        network_file: of a space of one's own, the copy of its file beside the card; else None.
        network_values: the named decisions of the network.
        hardware: every parameter of the accelerator.
        objective: what the mapping of every layer minimises.
        accuracy: `percent`, its standard `deviation_points` where it is known, and the `label`
            that says what accuracy it is.
        total: costs of the network on the accelerator, as `nahas simulate --json` has them.
        targets: of every target its `metric`, `limit`, the `value` and whether it is `met`.
        reward: what the search made of it; None where it saw predicted costs alone.
        predicted: what a cost model had predicted, where the search asked one.
        model: the Keras file, and of what it was trained; `trained` is None where it was not.
        layers: a summary of each, in the order in which they run.
        mappings: for each tool how many layers its folder has, and why others are left out.
        found: in which study, by which trial, and what that study follows from.
        sha256: of every file but the card itself, by name.
        versions: of nahas, Python and the distributions that a number may depend on.
        licence: whose this is.
    """

    network: str
    network_file: str | None
    network_values: Mapping[str, Any]
    hardware: Mapping[str, Any]
    objective: str
    accuracy: Mapping[str, Any]
    total: Mapping[str, Any]
    targets: tuple[Mapping[str, Any], ...]
    reward: float | None
    predicted: Mapping[str, Any] | None
    model: Mapping[str, Any]
    layers: tuple[Mapping[str, Any], ...]
    mappings: Mapping[str, Any]
    found: Mapping[str, Any]
    sha256: Mapping[str, str]
    versions: Mapping[str, str | None]
    licence: str = LICENCE
    schema_version: int = SCHEMA_VERSION

    def document(self) -> dict[str, Any]:
        """The card in JSON's types."""
        document: dict[str, Any] = plain(asdict(self))
        return document


def costs_document(cost: NetworkCost) -> dict[str, Any]:
    """A simulation as JSON has it: layers.json."""
    document: dict[str, Any] = plain(network_document(cost))
    return document


def targets_met(targets: Mapping[str, float], cost: NetworkCost) -> tuple[dict[str, Any], ...]:
    """Of every target its limit, what the design has, and whether that is within."""
    values = {
        "latency_ms": cost.latency_ms,
        "energy_mj": cost.energy_mj,
        "area_mm2": cost.area_mm2,
        "parameters": float(cost.network.parameters),
    }
    return tuple(
        {"metric": name, "limit": limit, "value": values[name], "met": values[name] <= limit}
        for name, limit in targets.items()
    )


def accuracy_of(design: Design, label: str) -> dict[str, Any]:
    """The accuracy of a design with its label and deviation."""
    return {
        "percent": design.accuracy if isfinite(design.accuracy) else None,
        "deviation_points": design.accuracy_deviation,
        "label": label,
    }


def layer_summaries(document: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The rows of the card's table of layers."""
    return tuple({name: layer[name] for name in LAYER} for layer in document["layers"])


def card_page(card: Mapping[str, Any]) -> str:
    """The card as Markdown, of its JSON form."""
    parts = [
        f"# {card['network']}",
        "A network and the accelerator that was found with it, by `nahas cosearch`. All numbers "
        "are in `card.json` too; `python rebuild.py` computes them again.",
        _table("Design", _design_rows(card)),
        _table("Costs", _cost_rows(card)),
        _table("Energy by component", _energy_rows(card)),
        _targets(card),
        _table("Found by", _found_rows(card)),
        _layers(card),
        _files(card),
        f"## Licence\n\n{card['licence']}",
    ]
    return "\n\n".join(parts) + "\n"


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"## {title}", "", "| | |", "| --- | --- |", *lines])


def _design_rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    accuracy, model = card["accuracy"], card["model"]
    percent, deviation = accuracy["percent"], accuracy["deviation_points"]
    sure = "" if deviation is None else f" ± {deviation:.2f} points"
    trained = model["trained"]
    told = model["state"] if trained is None else f"{model['state']} ({trained['dataset']})"
    hardware = card["hardware"]
    return [
        ("network", f"`{card['network']}`"),
        ("accuracy", "not known" if percent is None else f"{percent:.2f} %{sure}"),
        ("what accuracy", accuracy["label"]),
        ("model", f"`{model['file']}`, {told}"),
        ("input of the model", " x ".join(map(str, model["input"]))),
        ("accelerator", accelerator_text(hardware)),
        ("clock, node", f"{hardware['clock_mhz']:g} MHz, {hardware['technology_nm']} nm"),
    ]


def _cost_rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    total = card["total"]
    return [
        ("latency", f"{significant(total['latency_ms'])} ms, batch 1"),
        ("energy", f"{significant(total['energy_mj'])} mJ, DRAM included"),
        ("area", f"{significant(total['area_mm2'])} mm²"),
        ("power", f"{significant(total['power_mw'])} mW on average"),
        ("parameters", f"{total['parameters']:,}"),
        ("multiply-accumulates", f"{total['macs']:,}"),
        ("utilisation", f"{total['utilisation']:.1%} of {total['peak_tops']:.3g} TOPS"),
        ("mappings minimise", card["objective"]),
    ]


def _energy_rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    split, whole = card["total"]["energy_by_component_mj"], card["total"]["energy_mj"]
    return [
        (name.replace("_", " "), f"{energy:.4g} mJ, {energy / whole:.1%}")
        for name, energy in split.items()
    ]


def _targets(card: Mapping[str, Any]) -> str:
    if not card["targets"]:
        return "## Targets\n\nNone."
    lines = []
    for target in card["targets"]:
        name = target["metric"]
        unit = UNITS.get(name, "")
        over = target["value"] / target["limit"] - 1
        verdict = "met" if target["met"] else f"missed by {over:.1%}"
        lines.append(f"| {WORDS.get(name, name)} | {target['limit']:.4g} {unit} | {verdict} |")
    return "\n".join(["## Targets", "", "| | at most | |", "| --- | --- | --- |", *lines])


def _found_rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = card["found"]
    rank = "" if found["rank"] is None else f", rank {found['rank']}"
    return [
        ("study", f"`{found['study']}`, {found['trials']:,} trials"),
        ("trial", f"{found['trial']}{rank}"),
        ("seed", str(found["seed"])),
        ("space", f"{found['space']} x {found['hardware_space']}"),
        ("controller", str(found["options"].get("controller", "not known"))),
        *((f"hash of {name}", f"`{text}`") for name, text in found["fingerprints"].items()),
        *((name, text) for name, text in card["versions"].items() if text is not None),
    ]


def _layers(card: Mapping[str, Any]) -> str:
    head = ("layer", "shape", "MACs", "cycles", "bound by", "energy, µJ", "stays in place")
    rows = [
        (
            layer["name"],
            layer["shape"],
            f"{layer['macs']:,}",
            f"{layer['cycles']:,}",
            layer["bound"].replace("_", " "),
            f"{layer['energy_pj'] / 1e6:.3g}",
            layer["dataflow"] or "",
        )
        for layer in card["layers"]
    ]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(["## Layers", "", *lines])


def _files(card: Mapping[str, Any]) -> str:
    said = {
        card["model"]["file"]: "the Keras model",
        "accelerator.yaml": "the accelerator, for `nahas simulate --hardware`",
        **{
            f"accelerator_{tool}.yaml": f"the same as {tool} reads it"
            for tool in ("timeloop", "accelforge")
            if f"accelerator_{tool}.yaml" in card["sha256"]
        },
        "layers.csv": "costs and mapping of every layer, a row each",
        "layers.json": "the same with loop nests, as `nahas simulate --json` prints it",
        "rebuild.py": "builds model and costs again and checks that they are these",
    }
    if card["network_file"]:
        said[card["network_file"]] = "the space of the network"
    lines = [f"| `{name}` | {what} |" for name, what in said.items()]
    for tool, of in card["mappings"].items():
        left_out = len(of["left_out"])
        why = f"; {left_out} that it cannot express are left out" if left_out else ""
        lines.append(f"| `{tool}/` | {of['layers']} mapped layers for {tool}{why} |")
    return "\n".join(["## Files", "", "| | |", "| --- | --- |", *lines])
