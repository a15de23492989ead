"""Samples as a Parquet file: a byte per decision, costs in their units, and where they come from.

Columns are the decisions by name (the index of the value), `latency_ms`, `energy_mj` and `area_mm2`
and `reason`, a number of `vocabulary.Reason`; latency and energy are null where a design cannot
run. The file grows while designs are labelled, as `nahas.parts_file` says. Its metadata hold a
digest of all that is read back, so what is damaged is never learned from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nahas
from nahas.costmodel.origin import Origin, check_origin
from nahas.costmodel.samples import CHUNK, COSTS, Samples, Simulate, draw, samples_of, simulated
from nahas.errors import CostModelError
from nahas.parts_file import PREFIX, PartsFile, pyarrow
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import Space
from nahas.vocabulary import Objective, Reason

SCHEMA_VERSION = 2
"""Of the file; a reader refuses any other."""

KIND = "costmodel samples"
"""What tells the file from others that nahas writes."""

DIGEST = "digest"
REASON = "reason"


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file holds.

    Attributes:
        origin: whose costs.
        samples: designs drawn.
        seed: of the draw.
        objective: what the mapper minimised.
    """

    origin: Origin
    samples: int
    seed: int
    objective: Objective


def write(
    path: Path,
    joint: JointSpace,
    about: About,
    simulate: Simulate,
    *,
    resume: bool = False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Draw and label designs and write them, whole or not at all.

    Args:
        path: the file.
        joint: the space to draw from.
        about: how many designs, of which seed, and whose costs `simulate` gives.
        simulate: gives the costs of choices.
        resume: go on with the parts that a killed run has left.
        progress: told the number of designs done, after every part.

    Raises:
        CostModelError: when the space has too few designs.
        UsageError: when pyarrow is absent, when the file or its parts exist and are not to be
            resumed, and when the parts are of something else.
    """
    choices = draw(joint, about.samples, np.random.default_rng(about.seed))
    metadata = _metadata(about, choices)
    file = PartsFile(path, metadata, resume=resume)
    for start in range(file.done, len(choices), CHUNK):
        chunk = choices[start : start + CHUNK]
        file.write(start, _table(joint.space, chunk, *simulated(chunk, simulate)))
        if progress:
            progress(file.done)
    digest = _Digest(metadata, _names(joint.space))
    for table in file.tables():
        for name in table.column_names:
            digest.add(name, table[name].to_numpy())
    file.finish({DIGEST: digest.hex()})


def read(path: Path, joint: JointSpace, here: Origin) -> Samples:
    """The samples of a file, read column by column.

    Raises:
        CostModelError: when the file is missing, damaged, not of samples, or of another schema
            version, space, simulator or table; when a column is missing or of another type, an
            index is out of range, a cost is not above 0, or there is no row.
        UsageError: when pyarrow is absent.
    """
    with _opened(path) as file:
        metadata = _checked_metadata(file, path)
        check_origin(_about(metadata, path).origin, here, path, "draw and label its samples again")
        _check_columns(file, joint.space, path)
        digest = _Digest(metadata, _names(joint.space))

        def column(name: str) -> NDArray[Any]:
            values = _column(file, name, path)
            digest.add(name, values)
            return values

        indices = []
        for decision in joint.space.decisions:
            indices.append(column(decision.name))
            _check_indices(indices[-1], decision.name, len(decision.values), path)
        costs = np.stack([column(name) for name in COSTS], axis=1)
        reason = column(REASON)
        _check_indices(reason, REASON, int(Reason.PREDICTED), path)
    _check_costs(costs, reason == Reason.OK, path)
    if digest.hex() != metadata.get(DIGEST):
        raise CostModelError(f"{path}: is damaged: it does not hold what was written")
    return samples_of(np.stack(indices, axis=1), costs, reason)


def read_about(path: Path) -> About:
    """What a file holds, without its rows.

    Raises:
        CostModelError: when it is missing, damaged, not of samples or of another schema version.
        UsageError: when pyarrow is absent.
    """
    with _opened(path) as file:
        return _about(_checked_metadata(file, path), path)


class _Digest:
    """SHA-256 over metadata and columns, whatever the row groups."""

    def __init__(self, metadata: Mapping[str, str], names: Iterable[str]) -> None:
        self._metadata = {key: text for key, text in metadata.items() if key != DIGEST}
        self._of_column = {name: hashlib.sha256() for name in names}

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Add the next values of a column."""
        self._of_column[name].update(values.tobytes())

    def hex(self) -> str:
        """The digest of all that was added."""
        columns = {name: digest.hexdigest() for name, digest in self._of_column.items()}
        content = repr((sorted(self._metadata.items()), sorted(columns.items())))
        return hashlib.sha256(content.encode()).hexdigest()


def _names(space: Space) -> list[str]:
    return [*(decision.name for decision in space.decisions), *COSTS, REASON]


def _table(
    space: Space,
    choices: NDArray[np.uint8],
    costs: NDArray[np.float32],
    reason: NDArray[np.uint8],
) -> Any:
    arrow = pyarrow()[0]
    arrays = [
        *(arrow.array(column) for column in choices.T),
        *(arrow.array(column, mask=np.isnan(column)) for column in costs.T),
        arrow.array(reason),
    ]
    return arrow.Table.from_arrays(arrays, names=_names(space))


def _metadata(about: About, choices: NDArray[np.uint8]) -> dict[str, str]:
    return {
        "kind": KIND,
        "schema_version": str(SCHEMA_VERSION),
        "version": nahas.__version__,
        "samples": str(about.samples),
        "seed": str(about.seed),
        "objective": about.objective.name.lower(),
        **asdict(about.origin),
        "choices_fingerprint": hashlib.sha256(choices.tobytes()).hexdigest()[:16],
    }


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what pyarrow says of a damaged file into a sentence."""
    arrow = pyarrow()[0]
    try:
        yield
    except (OSError, ValueError, KeyError, MemoryError, arrow.ArrowException) as problem:
        reason = " ".join(str(problem).split())
        raise CostModelError(
            f"{path}: is not a Parquet file, or a damaged one ({reason})"
        ) from problem


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        source = path.open("rb")
    except OSError as problem:
        raise CostModelError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    with source:
        with _told(path):
            file = pyarrow()[1].ParquetFile(source, page_checksum_verification=True)
        yield file


def _checked_metadata(file: Any, path: Path) -> dict[str, str]:
    with _told(path):
        pairs = (file.metadata.metadata or {}).items()
        metadata = {key.decode(): text.decode() for key, text in pairs}
    own = {k.removeprefix(PREFIX): v for k, v in metadata.items() if k.startswith(PREFIX)}
    if own.get("kind") != KIND:
        raise CostModelError(f"{path}: is not a file of samples that nahas wrote")
    if own.get("schema_version") != str(SCHEMA_VERSION):
        raise CostModelError(
            f"{path}:schema_version is {own.get('schema_version')}, "
            f"but this nahas reads {SCHEMA_VERSION}"
        )
    return own


def _about(metadata: Mapping[str, str], path: Path) -> About:
    try:
        return About(
            origin=Origin(**{field.name: metadata[field.name] for field in fields(Origin)}),
            samples=int(metadata["samples"]),
            seed=int(metadata["seed"]),
            objective=Objective[metadata["objective"].upper()],
        )
    except (KeyError, ValueError) as problem:
        raise CostModelError(f"{path}: its metadata are damaged ({problem})") from problem


def _check_columns(file: Any, space: Space, path: Path) -> None:
    with _told(path):
        schema, rows = file.schema_arrow, file.metadata.num_rows
    for name in _names(space):
        wanted = "float" if name in COSTS else "uint8"
        count = schema.names.count(name)
        if count != 1:
            held = f"{count} columns" if count else "no column"
            raise CostModelError(f"{path}: has {held} '{name}'")
        found = str(schema.field(name).type)
        if found != wanted:
            raise CostModelError(f"{path}: column '{name}' is {found}, but it must be {wanted}")
    if not rows:
        raise CostModelError(f"{path}: has no rows: there is nothing to learn")


def _column(file: Any, name: str, path: Path) -> NDArray[Any]:
    with _told(path):
        values: NDArray[Any] = file.read([name])[name].to_numpy()
    if name not in COSTS and values.dtype != np.uint8:  # pyarrow gives floats where some are null
        raise CostModelError(f"{path}: column '{name}' lacks values, but every row needs one")
    if len(values) != file.metadata.num_rows:
        raise CostModelError(
            f"{path}: is damaged: column '{name}' has {len(values)} values "
            f"for {file.metadata.num_rows} rows"
        )
    return values


def _check_indices(values: NDArray[Any], name: str, allowed: int, path: Path) -> None:
    bad = np.flatnonzero(~(values < allowed))
    if bad.size:
        raise CostModelError(
            f"{path}: row {bad[0]}: {name} is {values[bad[0]]}, but it must be 0 to {allowed - 1}"
        )


def _check_costs(costs: NDArray[np.float32], can_run: NDArray[np.bool_], path: Path) -> None:
    for column, name in zip(costs.T, COSTS, strict=True):
        known = can_run | (name == "area_mm2")
        bad = np.flatnonzero(
            np.where(known, ~(np.isfinite(column) & (column > 0)), ~np.isnan(column))
        )
        if bad.size:
            wanted = "a number above 0" if known[bad[0]] else "absent, as the design cannot run"
            raise CostModelError(
                f"{path}: row {bad[0]}: {name} is {column[bad[0]]}, but it must be {wanted}"
            )
