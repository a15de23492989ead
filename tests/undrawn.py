"""Reports without what takes long to draw, for tests that look at something else."""

import pytest


def leave_out(patch: pytest.MonkeyPatch) -> None:
    """No pictures are drawn, and no design's layers are simulated for the page."""
    patch.setattr("nahas.report.write.write_figures", lambda *_: [])
    patch.setattr("nahas.report.page._layers", lambda *_: {})
