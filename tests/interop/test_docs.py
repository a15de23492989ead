"""docs/interchange.md lists the operators that are read, all of them and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nahas.interop import keras_layers, onnx_ops, tflite_in

PAGE = Path(__file__).resolve().parents[2] / "docs" / "interchange.md"
READERS = {
    "onnx": onnx_ops.READERS,
    "tflite": tflite_in.READERS,
    "keras": keras_layers.READERS,
}


@pytest.mark.parametrize("name", READERS)
def test_the_page_lists_every_operator(name: str) -> None:
    (listed,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- end -->", PAGE.read_text(), re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == list(READERS[name])
