"""What `nahas validate --peers` shows: our optimum beside the best of other mappers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nahas.cli.options import announce_compilation
from nahas.cli.output import Output, table

if TYPE_CHECKING:
    from nahas.trust.peers import PeerPair


def show_peers(out: Output, path: Path) -> int:
    """Map every pair of the file and print a row for each; 1 where another mapper is better."""
    from nahas.trust.peers import compare_with_peers

    announce_compilation(out)
    pairs = []
    for pair in compare_with_peers(path):
        pairs.append(pair)
        out.say(f"{pair.ours.layer.name} {pair.hardware}: {pair.seconds:.1f} s")
    rows = []
    for pair in pairs:
        ours = pair.ours
        theirs = "; ".join(
            f"{each.tool} {each.cycles:,.0f}"
            + (f" {each.energy_pj / 1e6:,.1f} uJ" if each.energy_pj else "")
            for each in pair.theirs
        )
        rows.append(
            (
                f"{ours.layer.name} {pair.hardware}",
                f"{ours.cycles:,}",
                f"{ours.bound_cycles / ours.cycles:.2f}",
                f"{ours.energy_pj / 1e6:,.1f}",
                theirs or None,
                f"{ours.counted:,}",
                f"{pair.seconds:.2f}",
                "" if pair.never_worse else "worse",
            )
        )
    columns = ("pair", ">cycles", ">bound", ">uJ", "others", ">counted", ">s", "")
    totals = _totals(pairs)
    document = {"pairs": [pair.document() for pair in pairs], "totals": totals}
    out.show(document, table(columns, rows), _totals_text(totals))
    return 1 if totals["worse"] else 0


def _totals(pairs: list[PeerPair]) -> dict[str, int]:
    compared = [pair for pair in pairs if pair.theirs]
    no_worse = sum(pair.never_worse for pair in compared)
    return {
        "pairs": len(pairs),
        "compared": len(compared),
        "no_worse": no_worse,
        "fewer_cycles": sum(
            all(pair.ours.cycles < each.cycles - 1 for each in pair.theirs) for pair in compared
        ),
        "worse": len(compared) - no_worse,
    }


def _totals_text(totals: dict[str, int]) -> str:
    alone = totals["pairs"] - totals["compared"]
    return (
        f"{totals['no_worse']} of {totals['compared']} pairs no worse than any other mapper, "
        f"{totals['fewer_cycles']} of them with fewer cycles"
        + (f"; {alone} more pairs that no other mapper was run on" if alone else "")
    )
