"""Pairs of a layer and an accelerator: drawn, solved, checked, timed and kept.

`source` says which pairs there are, `bench` solves and times them, `verify` compares some with the
enumeration of their mapspace, `dataset` keeps them as Parquet.
"""

from nahas.tile_bench.bench import TileBench, run
from nahas.tile_bench.dataset import Dataset
from nahas.tile_bench.source import Pairs, Source, draw, source_of

__all__ = ["Dataset", "Pairs", "Source", "TileBench", "draw", "run", "source_of"]
