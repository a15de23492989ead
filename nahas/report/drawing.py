"""Scatter plots as SVG text: drawn by hand, so that a page needs no script and no library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 960, 460
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 44
TICKS = 7

LOG_STEPS = (1, 2, 3, 5)
"""Where a logarithmic axis has its ticks within a decade."""

# Viridis, every eighth of the way, light to dark: legible on white and on black.
COLOURS = (
    "#fde725", "#addc30", "#5ec962", "#28ae80", "#21918c", "#2c728e", "#3b528b", "#472d7b",
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """A range of values on a line of pixels.

    Attributes:
        name: with its unit.
        low: smallest value shown.
        high: largest value shown.
        logarithmic: whether equal steps are equal ratios.
    """

    name: str
    low: float
    high: float
    logarithmic: bool = False

    def part(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high end."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values within the range, about `TICKS` of them."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [step * 10.0**decade for decade in decades for step in LOG_STEPS]
            return [value for value in values if self.low <= value <= self.high]
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * s for s in (1, 2, 2.5, 5, 10) if power * s >= rough)
        first = math.ceil(self.low / step)
        return [n * step for n in range(first, math.floor(self.high / step) + 1)]


@dataclass
class Plot:
    """Marks on two axes, collected as SVG elements; `text` is the picture."""

    title: str
    x: Axis
    y: Axis
    marks: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        across = LEFT + self.x.part(x) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - self.y.part(y) * (HEIGHT - TOP - BOTTOM)
        return round(across, 1), round(down, 1)

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is within both axes."""
        return self.x.low <= x <= self.x.high and self.y.low <= y <= self.y.high

    def dot(self, x: float, y: float, kind: str, says: str, fill: str = "") -> None:
        """A point that says something when pointed at."""
        if self.holds(x, y):
            across, down = self.at(x, y)
            style = f' fill="{fill}"' if fill else ""
            self.marks.append(
                f'<circle class="{kind}" cx="{across}" cy="{down}" r="3.5"{style}>'
                f"<title>{escape(says)}</title></circle>"
            )

    def line(self, points: Sequence[tuple[float, float]], kind: str, *, steps: bool) -> None:
        """A line through points, horizontal first where `steps`."""
        pixels = [self.at(x, min(max(y, self.y.low), self.y.high)) for x, y in points]
        if len(pixels) < 2:
            return
        path = f"M{pixels[0][0]} {pixels[0][1]}" + "".join(
            f"H{x}V{y}" if steps else f"L{x} {y}" for x, y in pixels[1:]
        )
        self.marks.append(f'<path class="{kind}" d="{path}"/>')

    def limit(self, x: float, says: str) -> None:
        """A vertical line with words beside it."""
        if not self.x.low <= x <= self.x.high:
            return
        across, _ = self.at(x, self.y.low)
        self.marks.append(
            f'<line class="target" x1="{across}" x2="{across}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="target-text" x="{across - 6}" y="{HEIGHT - BOTTOM - 8}" '
            f'text-anchor="end">{escape(says)}</text>'
        )

    def star(self, x: float, y: float, says: str) -> None:
        """The best point."""
        across, down = self.at(x, y)
        corners = (
            (across + r * math.sin(i * math.pi / 5), down - r * math.cos(i * math.pi / 5))
            for i, r in enumerate((10, 4) * 5)
        )
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
        self.marks.append(
            f'<polygon class="star" points="{points}"><title>{escape(says)}</title></polygon>'
        )

    def text(self) -> str:
        """The picture."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(self.title)}">'
            + "".join(self._frame())
            + "\n".join(self.marks)
            + "</svg>"
        )

    def _frame(self) -> list[str]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        parts = []
        for value in self.x.ticks():
            across, _ = self.at(value, self.y.low)
            parts.append(_rule("grid", across, TOP, across, bottom))
            parts.append(_label(across, bottom + 17, "middle", f"{value:g}"))
        for value in self.y.ticks():
            _, down = self.at(self.x.low, value)
            parts.append(_rule("grid", LEFT, down, right, down))
            parts.append(_label(LEFT - 7, down + 4, "end", f"{value:g}"))
        parts.append(_rule("axis", LEFT, bottom, right, bottom))
        parts.append(_rule("axis", LEFT, TOP, LEFT, bottom))
        parts.append(_label((LEFT + right) / 2, HEIGHT - 6, "middle", self.x.name))
        middle = (TOP + bottom) / 2
        turned = f' transform="rotate(-90 13 {middle})"'
        parts.append(_label(13, middle, "middle", self.y.name, turned))
        return parts


def colour_scale(low: float, high: float) -> Callable[[float], str]:
    """A colour for each value between two, light for low."""
    span = (high - low) or 1.0

    def colour(value: float) -> str:
        place = int((value - low) / span * len(COLOURS))
        return COLOURS[min(max(place, 0), len(COLOURS) - 1)]

    return colour


def _rule(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _label(x: float, y: float, anchor: str, text: str, extra: str = "") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'
