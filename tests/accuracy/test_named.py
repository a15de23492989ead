"""Which back-end is meant, and what is said when it cannot be told."""

from pathlib import Path

import pytest

from nahas.accuracy.named import OPTIONS, Source, backend_of
from nahas.errors import AccuracyError, UsageError
from nahas.spaces.named import named

TABLE, WEIGHTS = Path("t.csv"), Path("w.npz")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({}, "surrogate"),
        ({"surrogate": WEIGHTS}, "surrogate"),
        ({"table": TABLE}, "table"),
        ({"data": "cifar10"}, "train"),
        ({"data": "cifar10", "proxy_epochs": 2}, "train"),
        ({"supernet": WEIGHTS, "data": "cifar10"}, "one-shot"),
        ({"kind": "one-shot", "supernet": WEIGHTS, "data": "cifar10"}, "one-shot"),
        ({"kind": "train", "data": "cifar10"}, "train"),
    ],
)
def test_options_tell_which_is_meant(said, meant):
    assert Source(**said).chosen == meant


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"kind": "tablet"}, "there is no accuracy 'tablet': .*; did you mean 'table'"),
        ({"kind": "table"}, "--accuracy table needs --table, a file of measured accuracies"),
        ({"kind": "train"}, "--accuracy train needs --data, images"),
        ({"proxy_epochs": 2}, "--accuracy train needs --data"),
        ({"kind": "one-shot", "data": "a"}, "--accuracy one-shot needs --supernet"),
        ({"supernet": WEIGHTS}, "--accuracy one-shot needs --data, images"),
        ({"kind": "train", "data": "a", "table": TABLE}, "--table goes with --accuracy table"),
        ({"surrogate": WEIGHTS, "table": TABLE}, "--table goes with .* come from 'surrogate'"),
        ({"table": TABLE, "data": "a"}, "--data goes with --accuracy train or one-shot, but"),
        ({"supernet": WEIGHTS, "proxy_epochs": 1}, "--proxy-epochs goes with --accuracy train"),
        ({"kind": "surrogate", "proxy_images": 9}, "--proxy-images goes with --accuracy train"),
    ],
)
def test_contradictions_and_gaps_are_sentences(said, sentence):
    with pytest.raises(UsageError, match=sentence):
        _ = Source(**said).chosen


def test_every_space_without_packaged_accuracies_says_how_to_make_them():
    with pytest.raises(AccuracyError, match=r"train-child --space macro .*fit-surrogate --space"):
        backend_of(Source(), named("macro"))


def test_the_published_table_is_of_macro():
    with pytest.raises(UsageError, match=r"--space is 's1': add --space macro"):
        backend_of(Source(table=Path("x.json")), named("s1"))


def test_every_back_end_has_its_options():
    assert list(OPTIONS) == ["surrogate", "table", "train", "one-shot"]
