"""Draws predicted against measured accuracy."""

from __future__ import annotations

from pathlib import Path

from nahas.accuracy.measurements import Measurements
from nahas.accuracy.surrogate import Surrogate
from nahas.files import written_whole

INCHES = (5.0, 4.6)
DOTS_PER_INCH = 130


def draw(surrogate: Surrogate, measured: Measurements, path: Path) -> None:
    """Write a PNG of the `val` and `test` networks, predicted against measured.

    Raises:
        OSError: when it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    lowest = highest = float(surrogate.offset)
    for part, colour in (("val", "#7a9cc6"), ("test", "#c0392b")):
        choices, accuracy = measured.part(part)
        predicted = surrogate.accuracy(choices)
        axes.scatter(predicted, accuracy, s=9, color=colour, label=f"{part}, {len(choices)}")
        lowest = min(lowest, float(accuracy.min()), float(predicted.min()))
        highest = max(highest, float(accuracy.max()), float(predicted.max()))
    axes.plot([lowest, highest], [lowest, highest], color="black", linewidth=0.8)
    axes.set_xlabel("predicted top-1, %")
    axes.set_ylabel("measured top-1, %, one seed")
    axes.set_title("Networks held out of the fit: 16-epoch recipe", fontsize=10)
    axes.legend(frameon=False)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
