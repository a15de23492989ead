"""The page on accuracy says what the card says."""

import pytest

from nahas.accuracy.surrogate import card_path, packaged_weights, read_card

NAMES = {"surrogate": "surrogate", "mlp_64x64": "perceptron, 64x64", "ridge": "ridge regression"}


@pytest.fixture(scope="module")
def card():
    return read_card(card_path(packaged_weights("mnasnet")))


@pytest.fixture(scope="module")
def page(root):
    path = root / "docs" / "accuracy.md"
    if not path.is_file():
        pytest.skip("the documentation is not here")
    return " ".join(path.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_held_out_errors_are_the_cards(page, card, part, name):
    errors = [f"{error:.3f}" for error in card["held_out"][name][part].values()]
    assert f"| {part} | {NAMES[name]} | {' | '.join(errors)} |" in page


def test_what_the_seeds_say_is_the_cards(page, card):
    seeds, calibration = card["seeds"], card["calibration"]["val"]
    mean = seeds["surrogate_against_mean"]
    for sentence in (
        f"rank the networks with a Kendall of {seeds['kendall_between_seeds']:.3f}.",
        f"without seeing these, is {card['noise_pp']:.3f}.",
        f"Kendall of {mean['kendall']:.3f} and an RMSE of {mean['rmse_pp']:.3f}",
        f"{100 * calibration['within_1']:.1f} % of the `val` measurements",
    ):
        assert sentence in page


def test_what_a_search_may_exploit_is_the_cards(page, card):
    where = card["range"]
    for sentence in (
        f"from {where['drawn_lowest']:.2f} to {where['drawn_highest']:.2f}; measurements",
        f"from {where['measured_lowest']:.2f} to {where['measured_highest']:.2f}.",
        f"nothing above {where['space_highest']:.2f} ± {where['space_highest_deviation_pp']:.2f}",
        f"`{where['space_highest_network']}`",
    ):
        assert sentence in page
