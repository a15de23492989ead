"""`nahas doctor`: what nahas stands on here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nahas.cli.options import command
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.doctor import Diagnosis


@command("doctor", examples=("nahas doctor", "nahas doctor --no-gpu --json"))
@click.option("--gpu/--no-gpu", default=True, help="Ask TensorFlow for GPUs, which takes seconds.")
def doctor(out: Output, *, gpu: bool) -> int:
    """Say what nahas stands on here: versions, threads, SIMD, cache, GPUs and extras.

    Exits with 1 when something that nahas needs is missing.
    """
    from nahas.doctor import diagnose

    found = diagnose(ask_for_gpus=gpu)
    out.show(asdict(found), table(("what", "found"), _rows(found, gpu)), *_sentences(found))
    return 1 if found.problems else 0


def _rows(found: Diagnosis, gpu: bool) -> list[tuple[str, str]]:
    threads, simd, cache = found.threads, found.simd, found.cache
    rows = [(name, version or "absent") for name, version in found.versions.items()]
    if threads:
        rows.append(("threads", f"{threads['simulator']} of {threads['cores']} cores"))
    if simd:
        rows.append(("processor", f"{simd['cpu']} ({simd['llvm_target']})"))
        rows.append(("SIMD", " ".join(simd["features"]) or "none"))
    if cache:
        state = "" if cache["writable"] else ", cannot be written"
        rows.append(("kernel cache", f"{cache['folder']}{state}"))
        rows.append(("", f"{cache['files']} files, {cache['megabytes']} MB"))
    unknown = "could not be asked" if gpu else "not asked"
    gpus = unknown if found.gpus is None else ", ".join(found.gpus) or "none"
    rows.append(("GPUs", gpus))
    for extra, missing in found.extras.items():
        state = f"lacks {', '.join(missing)}" if missing else "installed"
        rows.append((f"extra {extra}", state))
    rows.extend((group, ", ".join(names)) for group, names in found.plugins.items() if names)
    return rows


def _sentences(found: Diagnosis) -> list[str]:
    return [f"note: {note}" for note in found.notes] + [
        f"problem: {problem}" for problem in found.problems
    ]
