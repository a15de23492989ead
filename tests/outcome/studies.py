"""A study of a space of one's own, small enough to build and train in a test."""

from __future__ import annotations

from pathlib import Path

from nahas.result import SearchResult
from nahas.strategies import Search, joint

SPACE = """
from nahas.spaces.own import network_space


@network_space
def mine(on, choose):
    width = choose("width", (4, 8))
    x = on.conv(on.input(16, 16, 3), width, kernel=3, stride=2)
    for block in range(choose("depth", (1, 2))):
        x = on.activation(on.depthwise(x, kernel=choose(f"kernel{block}", (3, 5))), "relu")
    return on.dense(on.global_pool(x), 10)
"""

TABLE = """network,accuracy_percent
"mine:width=4,depth=1,kernel0=3",61
"mine:width=8,depth=1,kernel0=5",64
"mine:width=4,depth=2,kernel0=3,kernel1=5",66
"mine:width=8,depth=2,kernel0=5,kernel1=5",70
"""


def searched(folder: Path, **options: object) -> SearchResult:
    """Forty trials of four listed networks of a space of one's own, kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.py").write_text(SPACE)
    (folder / "measured.csv").write_text(TABLE)
    search = Search(
        space=f"{folder / 'own.py'}:mine",
        table=folder / "measured.csv",
        controller="random",
        trials=40,
        latency="1.5x",
        area="1x",
        study=folder / "study.db",
        **options,  # type: ignore[arg-type]  # whatever a test asks for
    )
    return joint(search)
