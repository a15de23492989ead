"""Opening a data set by its name or path."""

from __future__ import annotations

from pathlib import Path

from nahas.children.data.arrays import read_npz, read_shards
from nahas.children.data.dataset import Dataset
from nahas.children.data.source import Division
from nahas.errors import DataError

NAMES = ("cifar10", "cifar100", "fashion-mnist")


def open_dataset(  # noqa: PLR0913  # which images, how many of them and of what size
    name_or_path: str,
    *,
    seed: int = 0,
    validation: float = 0.1,
    limit: int | None = None,
    image_size: int | None = None,
    least_map: int = 2,
) -> Dataset:
    """The data set of a name or a path.

    Raises:
        DataError: when there is none, or it cannot be read or divided.
    """
    del image_size
    path = Path(name_or_path)
    division = Division(seed=seed, validation=validation, limit=limit)
    if path.suffix == ".npz":
        return read_npz(path).divided(division, least_map=least_map)
    if path.is_dir():
        return read_shards(path).divided(division, least_map=least_map)
    raise DataError(f"there is no data set '{name_or_path}'")
