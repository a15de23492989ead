"""One design of a study as a folder: network, accelerator, mappings, card, and how to rebuild it.

[docs/outcome.md]
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from math import isclose
from pathlib import Path
from typing import Any

from nahas.energy import CONSTANTS_FILE, SRAM_FILE, Tables, load_tables, packaged_tables
from nahas.errors import InteropError, StudyError, UsageError
from nahas.files import folder_written_whole, json_text
from nahas.hardware import save_hardware
from nahas.interop.export import FORMATS, export, points_of
from nahas.manifest import versions
from nahas.outcome.card import (
    Card,
    accuracy_of,
    card_page,
    costs_document,
    layer_summaries,
    targets_met,
)
from nahas.outcome.check import CARD, LAYERS, file_hash
from nahas.outcome.chosen import Chosen
from nahas.outcome.model import FILE, OutcomeModel, model_of
from nahas.outcome.script import Recipe
from nahas.result import SearchResult
from nahas.simulate import NetworkCost, simulate
from nahas.spaces.from_file import space_in_file
from nahas.study.origin import Origin
from nahas.vocabulary import Objective, Reason

PAGE = "card.md"
ACCELERATOR = "accelerator.yaml"
ROWS = "layers.csv"
REBUILD = "rebuild.py"
SPACE = "space.py"
TABLES = "tables"

NESTED = ("loops", "keep", "fused")
"""What the document says of a layer in more than a word."""


def write_outcome(  # each is an option of the command
    result: SearchResult,
    origin: Origin,
    of: Chosen,
    folder: Path,
    *,
    replace_it: bool = False,
    child: Path | None = None,
    tables: Path | None = None,
) -> dict[str, Any]:
    """Write a design into a folder, whole or not at all, and give its card.

    Args:
        result: of the study.
        origin: what the study is of.
        of: the design.
        folder: to make.
        replace_it: whether an earlier outcome there may be replaced; nothing else is.
        child: a trained child of the network, in place of one beside the study.
        tables: folder of the energy and area tables that the study was searched with, where
            these are not the packaged ones.

    Raises:
        UsageError: when the folder is there, or the child is another network's.
        StudyError: when today's simulator says other costs than the study.
        OSError: when it cannot be written.
    """
    _check_free(folder, replace_it)
    own, cost = _simulated(result, origin, of, tables)
    model = model_of(result, of, child)
    with _replaced_whole(folder) as new:
        written = _costs_and_mappings(new, cost, own)
        space_file = _copied_space(result, new)
        if tables is not None:
            _copy_tables(tables, new / TABLES)
        model.keras.save(new / FILE)
        recipe = Recipe(
            network=of.design.network,
            objective=cost.objective.name,
            space_file=space_file,
            own_tables=tables is not None,
            task=model.task,
            model_name=model.name,
        )
        _write(new / REBUILD, recipe.text())
        made = _card(result, origin, of, cost, model, written)
        card = replace(made, network_file=space_file, sha256=_hashes(new)).document()
        _write(new / CARD, json_text(card))
        _write(new / PAGE, card_page(card))
    return card


def _check_free(folder: Path, replace_it: bool) -> None:
    if not folder.exists():
        return
    if not replace_it:
        raise UsageError(
            f"{folder} is there already: replace it with --force, or give another --out"
        )
    if not (folder / CARD).is_file() or not (folder / REBUILD).is_file():
        raise UsageError(
            f"{folder} is no folder that 'nahas export' has made, so --force leaves it as it is: "
            "give another --out"
        )


@contextmanager
def _replaced_whole(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    with folder_written_whole(folder) as new:
        yield new
        if folder.exists():
            folder.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def _simulated(
    result: SearchResult, origin: Origin, of: Chosen, folder: Path | None
) -> tuple[Tables | None, NetworkCost]:
    """The tables of the study where they are one's own, and the design simulated by them."""
    own = load_tables(folder) if folder else None
    told = origin.fingerprints.get("energy tables")
    here = (own or packaged_tables()).fingerprint
    if told is not None and told != here:
        raise StudyError(
            f"study {result.study} was searched with energy tables {told}, but "
            f"{folder or 'those of nahas'} are {here}: give their folder with --tables"
        )
    objective = Objective[str(result.options.get("objective", "latency")).upper()]
    cost = simulate(of.network, of.hardware, objective, own)
    if cost.reason is not Reason.OK:
        raise StudyError(
            f"trial {of.design.trial} cannot run: its accelerator lacks "
            f"{cost.reason.name.lower().replace('_', ' ')} for {of.design.network}: "
            "give another --trial"
        )
    if of.simulated:
        for name in ("latency_ms", "energy_mj", "area_mm2"):
            then, now = getattr(of.design, name), getattr(cost, name)
            if not isclose(then, now, rel_tol=1e-9):
                raise StudyError(
                    f"study {result.study} says {name} {then:.9g} of trial {of.design.trial}, but "
                    f"the simulator of this nahas says {now:.9g}: install nahas "
                    f"{origin.versions.get('nahas', 'of that time')} to export it"
                )
    return own, cost


def _costs_and_mappings(new: Path, cost: NetworkCost, tables: Tables | None) -> dict[str, Any]:
    """Write accelerator, costs and mappings; what the card says of the latter."""
    save_hardware(cost.hardware, new / ACCELERATOR)
    document = costs_document(cost)
    _write(new / LAYERS, json_text(document))
    _write(new / ROWS, layer_rows(document))
    mappings = {}
    for tool in FORMATS:
        try:
            made = export(points_of(cost, tables), tool, new / tool)
        except InteropError as reason:
            mappings[tool] = {"layers": 0, "left_out": [str(reason)]}
        else:
            mappings[tool] = {"layers": len(made.written), "left_out": list(made.left_out)}
            _accelerator(tool, made.written, new)
    return {"document": document, "mappings": mappings}


def _accelerator(tool: str, layers: Sequence[Path], new: Path) -> None:
    """Write the accelerator as a tool reads it beside ours, where it is the same in all layers."""
    texts = {_uncommented(folder / "architecture.yaml") for folder in layers}
    if len(texts) == 1 and "" not in texts:
        comment = f"# The accelerator for {tool}: the same as in every folder of {tool}/.\n"
        _write(new / f"accelerator_{tool}.yaml", comment + texts.pop())


def _uncommented(path: Path) -> str:
    if not path.is_file():
        return ""  # ZigZag's is called accelerator.yaml, and has its place in each folder
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def layer_rows(document: Mapping[str, Any]) -> str:
    """Every layer of a simulation as a row of CSV; of nested values what JSON alone has."""
    names = [name for name in document["layers"][0] if name not in NESTED]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(document["layers"])
    return text.getvalue()


def _copied_space(result: SearchResult, new: Path) -> str | None:
    """Copy the file of a space of one's own, which must describe the same networks there."""
    space = result.joint.network_space
    if space.file is None:
        return None
    shutil.copyfile(space.file, new / SPACE)
    original, copy = space_in_file(space.place), space_in_file(f"{new / SPACE}:{space.name}")
    if copy.networks_sha256 != original.networks_sha256:
        raise StudyError(
            f"{space.file} describes other networks in another folder, so the copy beside the "
            "design would not be its space: let it depend on nothing around it"
        )
    return SPACE


def _copy_tables(folder: Path, new: Path) -> None:
    new.mkdir()
    for name in (SRAM_FILE, CONSTANTS_FILE):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, new / name)


def _hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in files}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _card(  # what is known of a design comes from as many places
    result: SearchResult,
    origin: Origin,
    of: Chosen,
    cost: NetworkCost,
    model: OutcomeModel,
    written: Mapping[str, Any],
) -> Card:
    document, design = written["document"], of.design
    predicted = design.predicted
    if predicted is None and not of.simulated:
        names = ("latency_ms", "energy_mj", "area_mm2", "reward")
        told: Any = {name: getattr(design, name) for name in names}
    else:
        told = None if predicted is None else asdict(predicted)
    return Card(
        network=design.network,
        network_file=None,
        network_values=design.network_values,
        hardware=document["hardware"],
        objective=document["objective"],
        accuracy=accuracy_of(design, result.accuracy_label),
        total=document["total"],
        targets=targets_met(result.targets, cost),
        reward=design.reward if of.simulated else None,
        predicted=told,
        model=model.document(),
        layers=layer_summaries(document),
        mappings=written["mappings"],
        found={
            "study": None if result.study is None else result.study.name,
            "trial": design.trial,
            "rank": of.rank,
            "trials": len(result.trials),
            "seed": result.seed,
            "space": result.joint.network_space.name,
            "hardware_space": result.joint.hardware_space,
            "options": dict(result.options),
            "fingerprints": dict(origin.fingerprints),
            "versions": dict(origin.versions),
        },
        sha256={},
        versions=versions(),
    )
