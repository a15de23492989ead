"""`nahas train-supernet`: what it refuses before it reads anything, and how it ends."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from nahas import oneshot
from nahas.children import data, device
from nahas.children.supernet_files import CHECKPOINT, SupernetCard
from nahas.designs import Design

CARD = SupernetCard(
    space="s1",
    decisions_sha256="",
    dataset={},
    recipe={},
    epochs=1,
    steps=2,
    seconds=3.0,
    stop="epochs",
    validation_percent=10.0,
    policy={},
    weights_sha256="",
    backend="tensorflow",
    versions={},
)


def design(*, satisfied):
    return Design(
        trial=None,
        accuracy=50.0,
        latency_ms=1.0,
        energy_mj=1.0,
        area_mm2=1.0,
        parameters=1,
        reward=0.0,
        network="s1:some",
        network_values={},
        hardware={"pes_x": 4},
        feasible=True,
        satisfied=satisfied,
        reason="ok",
    )


def test_what_a_folder_holds_is_told_before_images_are_read(nahas, tmp_path):
    (tmp_path / CHECKPOINT).touch()
    arguments = ("train-supernet", "--data", "nowhere", "--out", tmp_path)
    ran = nahas(*arguments)
    assert ran.code == 2
    assert "supernet.checkpoint.npz: is there already; go on with --resume" in ran.err
    ran = nahas(*arguments, "--resume", "--force")
    assert ran.code == 2
    assert "--resume goes on and --force begins anew: give one of them" in ran.err


@pytest.mark.parametrize("satisfied", [True, False])
def test_a_choice_that_misses_a_target_is_told(nahas, tmp_path, monkeypatch, satisfied):
    found = oneshot.OneShot(
        CARD, design(satisfied=satisfied), design(satisfied=True), {"latency_ms": 1.0}, "of a test"
    )
    images = SimpleNamespace(sizes={"train": 256})
    asked = {}
    monkeypatch.setattr(data, "open_dataset", lambda *_, **given: asked.update(given) or images)
    monkeypatch.setattr(device, "on_device", lambda _: nullcontext())
    monkeypatch.setattr(oneshot, "one_shot", lambda *_, **__: found)
    arguments = ("--data", "photos", "--image-size", "64", "--limit", "256")
    ran = nahas("train-supernet", *arguments, "--out", tmp_path)
    assert asked == {"seed": 0, "limit": 256, "image_size": 64}
    assert ran.code == (0 if satisfied else 3), ran.err
    assert ("the chosen design misses a target" in ran.err) is not satisfied
    assert "1 epoch, 2 steps in 3 s" in ran.out
