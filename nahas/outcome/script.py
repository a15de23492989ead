"""The script that builds a design again: rebuild.py, which needs nahas alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCRIPT = '''"""Build this design again with nahas alone, and check that it is what card.json says.

    python rebuild.py

Says every difference, and exits with 1 where there is one. Accuracy is not measured again.
"""

import sys
from pathlib import Path

from nahas import networks
from nahas.children.graph import keras_model
from nahas.energy import {tables_import}
from nahas.hardware import load_hardware
from nahas.outcome.check import differences
from nahas.simulate import simulate
from nahas.spaces.builder import read_layers
{task_import}from nahas.vocabulary import Objective

FOLDER = Path(__file__).resolve().parent
{space_line}
network = networks.function({function_name})
layers = read_layers({network!r}, network)
accelerator = load_hardware(FOLDER / "accelerator.yaml")
cost = simulate(layers, accelerator, Objective.{objective}, {tables})
{model_lines}
found = differences(FOLDER, cost, model)
for difference in found:
    print(f"differs: {{difference}}", file=sys.stderr)
print(f"{{layers.name}}: {{layers.parameters:,}} parameters, {{cost.latency_ms:.6g}} ms, ", end="")
print(f"{{cost.energy_mj:.6g}} mJ, {{cost.area_mm2:.6g}} mm2: ", end="")
print("differs from the card" if found else "as the card says")
sys.exit(1 if found else 0)
'''
"""As a person would write it; braces are doubled where they stay."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the script does.

    Attributes:
        network: the network's name.
        objective: what every layer's mapping minimises.
        space_file: the copy of its space's file, where it is one's own; else None.
        own_tables: whether the folder has energy and area tables.
        task: fields of `Task` that the model was trained for; None reads it as it is costed.
        model_name: of the Keras model.
    """

    network: str
    objective: str
    space_file: str | None
    own_tables: bool
    task: Mapping[str, Any] | None
    model_name: str

    def text(self) -> str:
        """The script."""
        own = self.space_file is not None
        return SCRIPT.format(
            network=self.network,
            objective=self.objective.upper(),
            tables_import="load_tables" if self.own_tables else "packaged_tables",
            tables='load_tables(FOLDER / "tables")' if self.own_tables else "packaged_tables()",
            task_import="from nahas.spaces.task import Task, function_for_task\n"
            if self.task
            else "",
            space_line=f'SPACE = FOLDER / "{self.space_file}"\n' if own else "",
            function_name=f'f"{{SPACE}}:{self.network}"' if own else repr(self.network),
            model_lines=self._model_lines(),
        )

    def _model_lines(self) -> str:
        if self.task is None:
            return f"model = keras_model(network, name={self.model_name!r})"
        given = ", ".join(f"{name}={value!r}" for name, value in self.task.items())
        return (
            f"task = Task({given})\n"
            f"model = keras_model(function_for_task(network, task), name={self.model_name!r})"
        )
