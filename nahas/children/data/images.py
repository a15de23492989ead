"""The images of one part of a data set: pixels in memory, or files that are decoded when read."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from nahas.children.data import crops
from nahas.children.data.crops import Pixels, Size
from nahas.children.data.draws import Draws
from nahas.errors import DataError
from nahas.manifest import usable_cores

if TYPE_CHECKING:
    from PIL.Image import Image

Rows = NDArray[np.int64]

GREY = ("1", "L", "LA")
"""What Pillow calls images of one colour."""

ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
"""What a whole file has at its end, or before a few bytes that some programs put after it."""

LAST_BYTES = 4096
"""In which the end is looked for."""


Use = Callable[["Image", BinaryIO, int], Any]
"""What is done with an image, its file and its row."""


RUN = 16
"""Images that a thread decodes at a time."""


class Pictures(Protocol):
    """The images of one part, in an order of their own.

    Attributes:
        labels: [N] numbers of classes.
    """

    @property
    def labels(self) -> Rows:
        """Numbers of classes [N]."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Rows) -> Pictures:
        """Some of the images."""

    def read(self, rows: Rows, size: Size, draws: Draws | None) -> Pixels:
        """Pixels [B, H, W, C] of some images at a (height, width), augmented where draws are.

        Raises:
            DataError: naming the image that cannot be decoded.
        """


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size, in memory.

    Attributes:
        pixels: [N, H, W, C], 0 to 255; C is 1 or 3.
        labels: [N] numbers of classes.
    """

    pixels: Pixels
    labels: Rows

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Rows) -> Images:
        return Images(self.pixels[rows], self.labels[rows])

    def read(self, rows: Rows, size: Size, draws: Draws | None) -> Pixels:
        """Pixels [B, H, W, C] of some images at a (height, width), augmented where draws are."""
        pixels = self.pixels[rows]
        if draws is None:
            return crops.resized(pixels, size)
        return crops.augmented(pixels, rows, draws, size)


class Headers(NamedTuple):
    """What the first bytes of image files say.

    Attributes:
        sizes: [N, 2] height and width.
        grey: [N] whether an image has one colour alone.
    """

    sizes: NDArray[np.int64]
    grey: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Files:
    """JPEG or PNG files of any sizes, decoded whenever they are read.

    Attributes:
        labels: [N] numbers of classes.
        numbers: [N] by which `open_file` and `where` know the images.
        open_file: gives an image file.
        where: its name, for errors.
        channels: 1 or 3, of the pixels that come back.
        share: of the shorter side, what is seen of an image that is not augmented.
    """

    labels: Rows
    numbers: Rows
    open_file: Callable[[int], BinaryIO]
    where: Callable[[int], str]
    channels: int = 3
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Rows) -> Files:
        return replace(self, labels=self.labels[rows], numbers=self.numbers[rows])

    def name(self, row: int) -> str:
        """What an image is called."""
        return self.where(int(self.numbers[row]))

    def seen(self, channels: int, share: float) -> Files:
        """The same files, read with another number of channels and share."""
        return replace(self, channels=channels, share=share)

    def read(self, rows: Rows, size: Size, draws: Draws | None) -> Pixels:
        """Pixels [B, H, W, C] of some images at a (height, width), augmented where draws are.

        Raises:
            DataError: naming the image that cannot be decoded.
        """

        def pixels(image: Image, file: BinaryIO, row: int) -> Pixels:
            del file
            before = (image.height, image.width)
            if draws is None:
                box = crops.central_box(before, size, self.share)
                return crops.cut(image, box, size, self.channels)
            box = crops.random_box(before, draws.uniform[row])
            cut = crops.cut(image, box, size, self.channels)
            return cut[:, ::-1] if draws.flipped[row] else cut

        out = np.empty((len(rows), *size, self.channels), dtype=np.uint8)
        for i, cut in enumerate(self._each(rows, pixels)):
            out[i] = cut
        return out

    def headers(self) -> Headers:
        """Sizes and kinds of all images; the files are opened, not decoded.

        Raises:
            DataError: naming the file that is no JPEG or PNG, or has no end.
        """
        found = list(self._each(np.arange(len(self)), _header))
        sizes = np.array([size for size, _ in found], dtype=np.int64).reshape(-1, 2)
        return Headers(sizes, np.array([grey for _, grey in found], dtype=np.bool_))

    def _each(self, rows: Rows, use: Use) -> list[Any]:
        def used(some: Rows) -> list[Any]:
            return [self._used(row, use) for row in some.tolist()]

        # Pillow decodes outside Python's lock.
        runs = np.array_split(rows, -(-len(rows) // RUN))
        with ThreadPoolExecutor(usable_cores()) as threads:
            return [what for run in threads.map(used, runs) for what in run]

    def _used(self, row: int, use: Use) -> Any:
        from PIL import Image

        try:
            with (
                self.open_file(int(self.numbers[row])) as file,
                Image.open(file, formats=tuple(ENDS)) as image,
            ):
                return use(image, file, row)
        except DataError:
            raise
        except Exception as problem:  # decoders raise whatever a damaged file makes them stumble on
            raise DataError(
                f"{self.name(row)}: cannot be decoded as JPEG or PNG ({_told(problem)}): "
                "mend it or take it away"
            ) from problem


def _told(problem: Exception) -> str:
    from PIL import UnidentifiedImageError

    return "it is neither" if isinstance(problem, UnidentifiedImageError) else str(problem)


def _header(image: Image, file: BinaryIO, row: int) -> tuple[Size, bool]:
    del row
    if image.mode[0] in "IF":
        raise ValueError(f"it has pixels of mode {image.mode}, but 8 bits per colour are needed")
    file.seek(0, 2)
    file.seek(max(0, file.tell() - LAST_BYTES))
    if ENDS[image.format or ""] not in file.read():
        raise ValueError("it is cut off")
    return (image.height, image.width), image.mode in GREY
