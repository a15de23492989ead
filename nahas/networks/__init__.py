"""Fixed networks, written with the same builder as the spaces."""
