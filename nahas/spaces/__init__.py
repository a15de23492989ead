"""Search spaces and the networks and accelerators they describe."""
