"""Keras readings of a network: models that train."""
