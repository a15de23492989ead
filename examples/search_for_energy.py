"""Search networks and accelerators for little energy, and compare with as many random draws.

The accuracy is predicted by the packaged surrogate; its label says what it stands for.

Run: python examples/search_for_energy.py [TRIALS]
"""

import sys

from nahas.strategies import Search, SearchResult, joint


def best(result: SearchResult) -> str:
    """The best design of a search in one line."""
    if not result.best:
        return "nothing feasible"
    design = result.best[0]
    within = "within" if design.satisfied else "beyond"
    return (
        f"reward {design.reward:.3f}, accuracy {design.accuracy:.2f} %, "
        f"{design.latency_ms:.3f} ms, {design.energy_mj:.3f} mJ, {design.area_mm2:.1f} mm^2, "
        f"{within} the targets"
    )


def main(trials: int) -> None:
    """Search by policy and by chance, with the same budget."""
    results = {}
    for controller in ("ppo", "random"):
        search = Search(
            controller=controller, trials=trials, latency=None, energy="0.7x", area="1x", seed=0
        )
        results[controller] = joint(search)
        print(f"{controller:7} after {trials} trials: {best(results[controller])}")
    found = results["ppo"]
    print(f"accuracy is {found.accuracy_label}")
    for metric, limit in found.targets.items():
        print(f"target {metric} <= {limit:.3f}")
    if found.best:
        print(f"network {found.best[0].network}")
        print(f"accelerator {dict(found.best[0].hardware)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
