"""The hash of a space's networks: what it sees, and what it does not."""

import pytest

from nahas.spaces.fingerprint import networks_hash
from nahas.spaces.named import NAMES, named
from nahas.spaces.own import network_space


def network(on, activation="relu", kernel=3, more=0):
    x = on.activation(on.conv(on.input(8, 8, 3), 8, kernel=kernel), activation)
    for _ in range(more):
        x = on.conv(x, 8, kernel=3)
    return on.dense(on.global_pool(x), 4)


def same(on):
    x = on.conv(on.input(height=8, width=8, channels=3), 8, kernel=3, stride=1, part="first")
    assert on.channels(x) == 8
    return on.dense(on.global_pool(on.activation(x, name="relu")), units=4)


def impossible(on):
    return on.conv(on.input(8, 8, 3), 0)


def test_form_makes_no_difference():
    assert networks_hash([network]) == networks_hash([same])


@pytest.mark.parametrize(
    "change", [{"activation": "relu6"}, {"activation": "linear"}, {"kernel": 5}, {"more": 1}]
)
def test_whatever_is_computed_does(change):
    assert networks_hash([lambda on: network(on, **change)]) != networks_hash([network])


def test_a_network_that_cannot_be_built_counts_as_such():
    assert networks_hash([impossible, network]) != networks_hash([network])


def test_tells_spaces_apart_and_never_changes_by_itself():
    hashes = {named(name).networks_sha256 for name in NAMES}
    assert len(hashes) == len(NAMES)
    assert hashes == {named(name).networks_sha256 for name in NAMES}


def test_an_edited_function_has_another():
    def own(more):
        return network_space(
            lambda on, choose: network(on, kernel=choose("kernel", (3, 5)), more=more), name="own"
        )

    assert own(0).networks_sha256 == own(0).networks_sha256 != own(1).networks_sha256
