"""Where accuracy comes from."""
