from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from nahas.children.data import Images, crops
from nahas.children.data.draws import Draws, epoch_draws
from tests.children.data.writing import jpeg

sides = st.integers(1, 400)
sizes = st.tuples(sides, sides)
unit = st.floats(0, 1, exclude_max=True)


def test_small_images_are_moved_in_a_frame_and_mirrored_as_drawn(coloured: Images) -> None:
    rows = np.arange(60)
    draws = epoch_draws(60, seed=4, epoch=7)
    moved = crops.augmented(coloured.pixels, rows, draws, (28, 28))
    for i, image in enumerate(coloured.pixels):
        framed = np.pad(image, ((4, 4), (4, 4), (0, 0)))  # 28 / 8 is 3.5, to even: 4
        top, left = (int(draws.uniform[i, 2] * 9), int(draws.uniform[i, 3] * 9))
        crop = framed[top : top + 28, left : left + 28]
        np.testing.assert_array_equal(moved[i], np.fliplr(crop) if draws.flipped[i] else crop)


def test_large_images_are_cropped_resized_and_mirrored_as_drawn(coloured: Images) -> None:
    large = crops.resized(coloured.pixels[:6], (96, 80))
    uniform = np.array([[0.999999, 0.5, 0.0, 0.0]] * 6)
    # All the area of a box that is not square needs a square image; here it is cut to 80 wide.
    flipped = np.arange(6) % 2 == 1
    draws = Draws(np.arange(6), uniform, flipped)
    seen = crops.augmented(large, np.arange(6), draws, (88, 80))
    for i, image in enumerate(large):
        crop = image[:88]
        np.testing.assert_array_equal(seen[i], np.fliplr(crop) if flipped[i] else crop)


def test_a_draw_belongs_to_an_image_not_to_its_place_in_the_batch(coloured: Images) -> None:
    draws = epoch_draws(60, seed=0, epoch=0)
    rows = np.array([40, 3, 17])
    whole = crops.augmented(coloured.pixels, np.arange(60), draws, (28, 28))
    some = crops.augmented(coloured.pixels[rows], rows, draws, (28, 28))
    np.testing.assert_array_equal(some, whole[rows])


@given(sizes, st.lists(unit, min_size=4, max_size=4).map(np.array))
def test_random_boxes_lie_in_the_image(before: crops.Size, uniform: np.ndarray) -> None:
    box = crops.random_box(before, uniform)
    assert 0 <= box.left < box.right <= before[1]
    assert 0 <= box.top < box.bottom <= before[0]


def test_random_boxes_cover_8_to_100_percent_in_shapes_from_3_4_to_4_3() -> None:
    boxes = [crops.random_box((1000, 1000), own) for own in epoch_draws(4000, seed=0, epoch=0)[1]]
    tall = np.array([box.bottom - box.top for box in boxes])
    wide = np.array([box.right - box.left for box in boxes])
    area, shape = tall * wide / 1e6, wide / tall
    assert 0.079 < area.min() < 0.085
    assert 0.97 < area.max() <= 1.0
    assert abs(area.mean() - 0.54) < 0.03
    assert 0.745 < shape.min() < 0.76
    assert 1.31 < shape.max() < 1.34


@given(sizes, sizes, st.sampled_from([1.0, 0.875]))
def test_central_boxes_are_the_largest_in_the_middle(
    before: crops.Size, size: crops.Size, share: float
) -> None:
    box = crops.central_box(before, size, share)
    assert 0 <= box.left < box.right <= before[1]
    assert 0 <= box.top < box.bottom <= before[0]
    assert abs(box.left - (before[1] - box.right)) <= 1
    assert abs(box.top - (before[0] - box.bottom)) <= 1
    filled = max((box.bottom - box.top) / before[0], (box.right - box.left) / before[1])
    assert abs(filled - share) <= 0.5 / min(before) + 1e-9 or 1 in (filled, *before)


def test_224_of_256_pixels_are_the_centre_of_a_large_image() -> None:
    box = crops.central_box((256, 512), (224, 224), crops.CENTRE)
    assert box == (144, 16, 368, 240)


def test_images_of_the_size_asked_for_are_left_alone(coloured: Images) -> None:
    assert crops.resized(coloured.pixels, (28, 28)) is coloured.pixels


def test_resizing_is_linear_between_the_middles_of_pixels(coloured: Images) -> None:
    doubled = crops.resized(coloured.pixels, (56, 56))
    assert doubled.shape == (60, 56, 56, 3)
    # A new pixel lies a quarter of an old one from the nearest middle.
    rows = 0.75 * coloured.pixels[:, :-1] + 0.25 * coloured.pixels[:, 1:]
    both = 0.75 * rows[:, :, :-1] + 0.25 * rows[:, :, 1:]
    np.testing.assert_allclose(doubled[:, 1:-1:2, 1:-1:2], both, atol=1.01)


def test_resizing_to_half_averages(coloured: Images) -> None:
    flat = np.full((1, 28, 28, 3), 77, np.uint8)
    np.testing.assert_array_equal(crops.resized(flat, (14, 14)), flat[:, ::2, ::2])
    halved = crops.resized(coloured.pixels, (14, 14)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(halved, coloured.pixels.mean(axis=(1, 2, 3)), atol=1.0)


def test_a_resized_image_keeps_its_middle(garments: Images) -> None:
    wide = crops.resized(garments.pixels, (28, 14))
    np.testing.assert_array_equal(wide, garments.pixels[:, :, 7:21])


def test_a_large_jpeg_decoded_at_a_fraction_is_nearly_the_same(coloured: Images) -> None:
    import io

    large = crops.resized(coloured.pixels[:1], (448, 448))[0]
    with Image.open(io.BytesIO(jpeg(large))) as image:
        quick = crops.cut(image, crops.Box(0, 0, 448, 448), (56, 56), 3)
        assert image.size == (56, 56)
    whole = Image.fromarray(large).resize((56, 56), Image.Resampling.BILINEAR)
    assert np.abs(quick.astype(int) - np.asarray(whole)).mean() < 3


@pytest.mark.parametrize("channels", [1, 3])
def test_standardised_pixels_have_mean_0_and_deviation_1(
    coloured: Images, garments: Images, channels: int
) -> None:
    pixels = (garments if channels == 1 else coloured).pixels
    mean, deviation = crops.moments(pixels)
    np.testing.assert_allclose(mean, (pixels / 255).mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(deviation, (pixels / 255).std(axis=(0, 1, 2)), rtol=1e-6)
    seen = crops.standardised(pixels, mean, deviation)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen, (pixels / 255 - mean) / deviation, atol=2e-6)
    np.testing.assert_allclose(seen.mean(axis=(0, 1, 2), dtype=float), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(axis=(0, 1, 2), dtype=float), 1, atol=1e-5)


def test_a_channel_of_one_value_has_a_deviation() -> None:
    mean, deviation = crops.moments(np.full((2, 3, 3, 1), 51, np.uint8))
    assert mean[0] == pytest.approx(0.2)
    assert deviation[0] == pytest.approx(1 / 255)
