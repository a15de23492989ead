"""The options that say which images, how many and of what size; commands share them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

KINDS = "cifar10, cifar100, fashion-mnist, a folder or an .npz file"
"""What may be named as images."""


def data_option(text: str, *, required: bool = False) -> Callable[[F], F]:
    """`--data`, the images; `text` says what for."""
    return click.option("--data", metavar="NAME|PATH", required=required, help=f"{text}: {KINDS}.")


def limit_option(least: int = 1) -> Callable[[F], F]:
    """`--limit`, the most images to use."""
    return click.option(
        "--limit",
        metavar="N",
        type=click.IntRange(min=least),
        help="Learn and hold out N images at most.",
    )


def image_size_option() -> Callable[[F], F]:
    """`--image-size`, what images of a folder are brought to."""
    return click.option(
        "--image-size",
        metavar="PIXELS",
        type=click.IntRange(min=1),
        help="Side of the images of a folder.",
    )


def data_options(function: F) -> F:
    """Which images a network is trained on, and what becomes of its strides."""
    least_map = click.option(
        "--least-map",
        metavar="PIXELS",
        type=click.IntRange(min=1),
        default=2,
        show_default=True,
        help="Side that the last feature map has at least: first strides are left out.",
    )
    options = (
        data_option("The images", required=True),
        limit_option(),
        image_size_option(),
        least_map,
    )
    for option in reversed(options):
        function = option(function)
    return function
