"""Data sets of images that children are trained on.

`open_dataset` opens one by its name or path, `in_memory` makes one of arrays; both give a
`Dataset`.
"""

from nahas.children.data.batches import data_errors
from nahas.children.data.dataset import PARTS, Dataset, Divided, in_memory
from nahas.children.data.images import Images
from nahas.children.data.named import NAMES, open_dataset

__all__ = [
    "NAMES",
    "PARTS",
    "Dataset",
    "Divided",
    "Images",
    "data_errors",
    "in_memory",
    "open_dataset",
]
