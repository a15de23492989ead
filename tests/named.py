"""Names for tests that all networks would make too long."""

from nahas import networks

RESCALED = (
    "efficientnet-b2",
    "efficientnet-b3",
    "efficientnet-edgetpu-m",
    "efficientnet-edgetpu-l",
    "autoseg-edgetpu-xs",
    "autoseg-edgetpu-m",
)
"""Networks of a function that is tested at another size anyway."""

ONE_OF_EACH = tuple(name for name in networks.NAMES if name not in RESCALED)
