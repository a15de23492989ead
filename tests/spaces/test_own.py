"""Spaces that users write: what is found in their functions, and what is said of wrong ones."""

import re
from functools import partial

import numpy as np
import pytest

from nahas.errors import SpaceError
from nahas.network import stacked
from nahas.spaces import explore
from nahas.spaces.blocks import Bottleneck, ibn
from nahas.spaces.own import network_space
from nahas.spaces.space import Decision
from nahas.spaces.tables import LayerTables
from nahas.spaces.task import Task, for_task


@network_space
def mine(on, choose):
    width = choose("width", (16, 24, 32), widths=True)
    x = on.conv(on.input(32, 32, 3), width, kernel=3)
    for block in range(choose("depth", (1, 2, 3))):
        kind = choose(f"kind{block}", ("plain", "bottleneck"))
        if kind == "bottleneck":
            shape = Bottleneck(
                filters=width,
                kernel=choose(f"kernel{block}", (3, 5)),
                expansion=choose(f"expansion{block}", (2, 4), widths=True),
                stride=1,
            )
            x = ibn(on, x, shape)
        else:
            x = on.conv(x, width, kernel=3)
    squeezed = choose("pooled", (True, False))
    x = on.pool(x, kernel=2, stride=2) if squeezed else x
    return on.dense(on.global_pool(x), 10)


def stem(on, choose):
    return on.conv(on.input(32, 32, 3), choose("width", (16, 24, 32), widths=True), kernel=3)


def block(number, on, x, choose):
    if number >= choose("depth", (1, 2, 3)):
        return x
    width = choose("width", (16, 24, 32), widths=True)
    kernel = choose(f"kernel{number}", (3, 5))
    return ibn(on, x, Bottleneck(filters=width, kernel=kernel, expansion=2, stride=1))


def head(on, x, choose):
    return on.dense(on.global_pool(x), 10)


PARTS = (stem, *(partial(block, i) for i in range(3)), head)


def whole(on, choose):
    x = stem(on, choose)
    for part in PARTS[1:]:
        x = part(on, x, choose)
    return x


chain = network_space(*PARTS, name="chain", reference={"depth": 2})


def small(function):
    """A network of one convolution whose number of filters a function chooses."""

    def network(on, choose):
        return on.conv(on.input(8, 8, 3), function(choose))

    return network


class TestDecisions:
    def test_are_found_in_the_order_in_which_the_network_asks(self):
        names = [decision.name for decision in mine.space.decisions]
        of_blocks = [f"{what}{i}" for i in range(3) for what in ("kind", "kernel", "expansion")]
        assert names == ["width", "depth", *of_blocks, "pooled"]
        assert mine.space.decisions[0] == Decision("width", (16, 24, 32), widths=True)
        assert mine.name == "mine"

    def test_of_a_chain_are_those_of_the_whole(self):
        of_whole = network_space(whole)
        assert set(chain.space.decisions) == set(of_whole.space.decisions)
        asked = [link.decisions for link in chain.links]
        assert asked[0] == ("width",)
        assert [set(names) for names in asked[1:4]] == [
            {"width", "depth", f"kernel{i}"} for i in range(3)
        ]

    def test_parts_are_run_with_values_that_belong_to_their_tensors(self):
        def widened(on, x, choose):
            assert on.channels(x) == choose("width", (16, 24, 32), widths=True)
            return on.conv(x, 8, kernel=choose("last", (1, 3)))

        found = network_space(*PARTS[:-1], widened, name="checked").space.decisions
        assert [decision.name for decision in found][-1] == "last"

    def test_a_small_part_is_known_entirely(self):
        """Under two conditions that are not nested, too."""

        def filters(choose):
            first, second = choose("first", (1, 2, 3)), choose("second", (1, 2, 3))
            return choose("hidden", (4, 8)) if (first, second) == (3, 2) else 4

        found = network_space(small(filters)).space.decisions
        assert [decision.name for decision in found] == ["first", "second", "hidden"]

    def test_one_that_was_not_found_is_told_when_it_is_met(self, monkeypatch):
        monkeypatch.setattr(explore, "MOST_RUNS", 0)

        def filters(choose):
            first, second = choose("first", (1, 2)), choose("second", (1, 2))
            return choose("hidden", (4, 8)) if first == second == 2 else 4

        space = network_space(small(filters))
        assert len(space.space.decisions) == 2
        sentence = "decision 'hidden' is asked for with first=2, second=2, which was not found"
        with pytest.raises(SpaceError, match=sentence):
            space.network(np.array([1, 1]))

    def test_a_nested_one_is_found_without_further_runs(self, monkeypatch):
        monkeypatch.setattr(explore, "MOST_RUNS", 0)

        def filters(choose):
            for depth in range(12):
                if not choose(f"deeper{depth}", (False, True)):
                    return 4
            return choose("deepest", (4, 8))

        assert len(network_space(small(filters)).space.decisions) == 13

    def test_values_of_numpy_are_plain(self):
        space = network_space(small(lambda choose: choose("filters", np.array([4, 8]))))
        assert [type(value) for value in space.space.decisions[0].values] == [int, int]
        assert type(space.space.values(np.array([1]))["filters"]) is int


class TestApplicable:
    def test_says_what_the_function_asks_for(self):
        choices = mine.space.sample(200, np.random.default_rng(0))
        applies = mine.applicable(choices)
        for choice, row in zip(choices, applies, strict=True):
            values = mine.space.values(choice)
            expected = {"width", "depth", "pooled"}
            for i in range(values["depth"]):
                expected |= {f"kind{i}"}
                if values[f"kind{i}"] == "bottleneck":
                    expected |= {f"kernel{i}", f"expansion{i}"}
            found = {d.name for d, used in zip(mine.space.decisions, row, strict=True) if used}
            assert found == expected

    @pytest.mark.parametrize("space", [mine, chain], ids=lambda space: space.name)
    def test_what_does_not_apply_changes_nothing_and_what_does_something(self, space):
        for choice in space.space.sample(30, np.random.default_rng(1)):
            network = space.network(choice)
            for column, applies in enumerate(space.applicable(choice[None])[0]):
                other = choice.copy()
                other[column] = (other[column] + 1) % space.space.cardinalities[column]
                changed = space.network(other)
                assert (changed.layers != network.layers) == applies
                assert (changed.name != network.name) == applies

    def test_checks_its_choices(self):
        with pytest.raises(SpaceError, match="decisions, but the choices have shape"):
            mine.applicable(np.zeros((2, 1), np.int64))


class TestNames:
    def test_have_the_decisions_that_apply(self):
        values = {**mine.space.values(mine.reference_choice), "kernel2": 5}
        expected = "mine:width=16,depth=1,kind0=plain,pooled=true"
        assert mine.network_name(values) == expected

    @pytest.mark.parametrize("space", [mine, chain], ids=lambda space: space.name)
    def test_are_read_back_as_the_same_network(self, space):
        for choice in space.space.sample(100, np.random.default_rng(2)):
            network = space.network(choice)
            again = space.choice_named(network.name)
            assert space.network(again) == network
            applies = space.applicable(choice[None])[0]
            assert np.array_equal(again, np.where(applies, choice, 0))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "width=16",
            "width=17,depth=1,kind0=plain,pooled=true",
            "width=16,depth=1,kind0=plain,pooled=yes",
            "depth=1,width=16,kind0=plain,pooled=true",
            "width=16,depth=1,kind0=plain,kernel0=3,pooled=true",
            "width=16,depth=1,kind0=plain,pooled=true,other=1",
        ],
    )
    def test_of_another_form_mean_nothing(self, text):
        with pytest.raises(SpaceError, match="its names look like 'mine:width=16,depth=1,"):
            mine.choice_named(f"mine:{text}")


class TestReadings:
    def test_a_chain_and_one_function_make_equal_networks(self):
        of_whole = network_space(whole)
        for choice in chain.space.sample(50, np.random.default_rng(3)):
            values = chain.space.values(choice)
            network = of_whole.network(of_whole.space.choice(values))
            assert network.layers == chain.network(choice).layers
            assert network.inputs == chain.network(choice).inputs

    @pytest.mark.parametrize("space", [mine, chain], ids=lambda space: space.name)
    def test_layers_of_many_are_those_of_each(self, space):
        choices = space.space.sample(60, np.random.default_rng(4))
        found = LayerTables(space).of(choices)
        expected = stacked([space.network(choice).table for choice in choices])
        assert np.array_equal(found.layers.rows, expected.rows)
        assert np.array_equal(found.layers.operands, expected.operands)

    @pytest.mark.parametrize("space", [mine, chain], ids=lambda space: space.name)
    def test_are_read_for_a_task(self, space):
        small_images = for_task(space, Task(height=8, width=8, channels=1, classes=7))
        network = small_images.network(space.reference_choice)
        assert (network.layers[0].p, network.layers[0].c, network.layers[-1].k) == (8, 1, 7)

    def test_the_reference_has_first_values_or_those_that_are_given(self):
        assert mine.reference_choice.tolist() == [0] * len(mine.space.decisions)
        assert chain.space.values(chain.reference_choice)["depth"] == 2
        assert chain.space.values(chain.reference_choice)["width"] == 16


def fails_for(choose):
    return 4 // choose("divisor", (1, 2, 0))


WRONG = {
    "no choice": (lambda _choose: 4, "its network makes no choice"),
    "twice": (
        lambda choose: choose("a", (1, 2)) + choose("a", (2, 3)),
        "decision 'a' is one of [1, 2] in one place and of [2, 3] in another",
    ),
    "widths here alone": (
        lambda choose: choose("a", (1, 2)) + choose("a", (1, 2), widths=True),
        "is one of [1, 2] in one place and of [1, 2] (widths) in another",
    ),
    "fails": (fails_for, "'network' fails with divisor=0 (ZeroDivisionError: "),
    "no name": (lambda choose: choose("a b", (1, 2)), "decision 'a b' has no usable name"),
    "a list": (lambda choose: choose("a", ([1], [2]))[0], "has the value [1]: allowed are"),
    "a word": (lambda choose: len(choose("a", ("x", "y,z"))), "has the value 'y,z': allowed are"),
    "alike": (lambda choose: int(choose("a", (1, "1"))), "written alike: (1, '1')"),
    "widths": (lambda choose: choose("a", (2, 1), widths=True), "has the widths (2, 1): give"),
    "nothing": (lambda choose: choose("a", ()), "decision 'a' has no values"),
}


def test_the_documentation_runs(root):
    blocks = re.findall(r"```python\n(.*?)```", (root / "docs" / "own_spaces.md").read_text(), re.S)
    said: dict[str, object] = {}
    exec(blocks[0], said)
    assert [d.name for d in said["mine"].space.decisions][:3] == ["width", "depth", "kernel0"]
    pytest.importorskip("optuna", reason="needs the extra search")
    exec(blocks[1], said)
    said["space"].check(said["driven"].ask(2))


class TestErrors:
    @pytest.mark.parametrize(("filters", "sentence"), WRONG.values(), ids=WRONG)
    def test_say_what_is_wrong_in_a_function(self, filters, sentence):
        with pytest.raises(SpaceError, match=re.escape(sentence)):
            network_space(small(filters))

    def test_no_tensor(self):
        def network(on, choose):
            on.conv(on.input(8, 8, 3), choose("filters", (4, 8)))

        with pytest.raises(SpaceError, match="returns None, no tensor, with filters=4"):
            network_space(network)

    def test_a_layer_that_cannot_be(self):
        def network(on, choose):
            groups = choose("groups", (1, 2))
            return on.conv(on.input(8, 8, 3), 4, groups=groups)

        with pytest.raises(SpaceError, match=re.escape("fails with groups=2 (NetworkError: ")):
            network_space(network)

    def test_a_later_part_that_shrinks_by_choice(self):
        def shrinks(on, x, choose):
            return on.conv(x, 8, stride=choose("stride", (1, 2)))

        sentence = "part 'shrinks' makes maps of 16 x 16 or 32 x 32 from one of 32 x 32"
        with pytest.raises(SpaceError, match=sentence):
            network_space(stem, shrinks, name="shrinking")

    def test_a_part_of_too_many_choices(self):
        def filters(choose):
            return sum(choose(f"d{i}", tuple(range(1, 9))) for i in range(20))

        with pytest.raises(SpaceError, match=re.escape("has 1.2e+18 choices, more than")):
            network_space(small(filters))

    def test_names_and_references(self):
        with pytest.raises(SpaceError, match="a space of several parts has no name"):
            network_space(stem, head)
        with pytest.raises(SpaceError, match="cannot be called 'a:b'"):
            network_space(whole, name="a:b")
        with pytest.raises(SpaceError, match="'width' is 17"):
            network_space(whole, reference={"width": 17})
        with pytest.raises(SpaceError, match="did you mean 'width'"):
            network_space(reference={"widths": 16})(whole)
