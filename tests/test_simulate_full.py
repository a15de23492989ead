"""Networks in the full mapspace."""

import pytest

from nahas import networks
from nahas.errors import UsageError
from nahas.hardware import preset
from nahas.simulate import simulate, simulate_networks
from nahas.vocabulary import Mapspace, Objective


@pytest.mark.parametrize("objective", list(Objective))
def test_a_network_is_never_worse_in_the_full_space(objective):
    drawn = [networks.named("mobilenet-v2"), networks.named("efficientnet-edgetpu-s")]
    points = [preset("edge-baseline"), preset("edgetpu-v3")]
    default = simulate_networks(drawn, points, objective)
    full = simulate_networks(drawn, points, objective, space=Mapspace.FULL)
    figures = {
        Objective.LATENCY: lambda of: of.latency_ms,
        Objective.ENERGY: lambda of: of.energy_mj,
        Objective.EDP: lambda of: of.latency_ms * of.energy_mj,
    }
    figure = figures[objective]
    assert (figure(full) <= figure(default) * (1 + 1e-12)).all()
    alone = simulate(drawn[0], points[0], objective, space=Mapspace.FULL)
    assert alone.latency_ms == pytest.approx(full.latency_ms[0, 0])
    assert alone.energy_mj == pytest.approx(full.energy_mj[0, 0])


def test_fusion_is_refused_outside_of_the_default_space():
    with pytest.raises(UsageError, match="leave out fusion, or the space"):
        simulate(
            networks.named("mobilenet-v2"),
            preset("edge-baseline"),
            fusion=True,
            space=Mapspace.FULL,
        )
