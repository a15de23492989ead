"""Data sets of images that children are trained on.

`open_dataset` is the way in; what it gives is a `Dataset`.
"""

from nahas.children.data.dataset import PARTS, Dataset, Images, InMemory
from nahas.children.data.named import NAMES, open_dataset

__all__ = ["NAMES", "PARTS", "Dataset", "Images", "InMemory", "open_dataset"]
