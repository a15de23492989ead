"""A child's Keras model with its optimizer: learns an epoch, is measured, is put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from nahas.children.checkpoint import Arrays
from nahas.children.data import data_errors
from nahas.children.device import on_gpu
from nahas.children.graph import keras_model
from nahas.children.quiet import import_keras
from nahas.children.recipe import Recipe
from nahas.spaces.task import NetworkFunction

AfterStep = Callable[[int, Mapping[str, float]], bool]
"""Told of each step and the loss and accuracy of the epoch so far; True ends the epoch."""

RMSPROP = {"rho": 0.9, "epsilon": 1.0}
"""Of MnasNet's and TuNAS' optimizer (paper notes, section 6.2)."""


class Learner:
    """A child's Keras model with its optimizer.

    Where the recipe averages weights, the model holds their average whenever it is not in `fit`:
    that is measured and kept.

    Args:
        function: the network, for the images of its task.
        recipe: how it learns.
        classes: of the images.
        steps: of the whole training, which the learning rate falls over.
    """

    def __init__(
        self, function: NetworkFunction, recipe: Recipe, *, classes: int, steps: int
    ) -> None:
        self._keras = import_keras()
        self._averages = recipe.ema_decay > 0
        self._trained: Arrays = []
        with _precision(recipe):
            self._model = keras_model(
                function, seed=recipe.seed, dropout=recipe.dropout, quick=True
            )
        self._optimizer = _optimizer(recipe, steps)
        self._optimizer.build(self._model.trainable_variables)
        self._model.compile(
            self._optimizer,
            _smoothed_loss(recipe.label_smoothing, classes),
            metrics=[self._keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            jit_compile=self._keras.backend.backend() == "jax",
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the images that the network reads."""
        height, width = self._model.input_shape[1:3]
        return height, width

    @property
    def parameters(self) -> int:
        """Number of weights that are learned."""
        return sum(int(np.prod(weight.shape)) for weight in self._model.trainable_variables)

    def weights(self) -> Arrays:
        """Weights to keep, in the order of `keras_model` of the same network."""
        return self._arrays(self._model.weights)

    def fit(self, batches: Any, after_step: AfterStep) -> dict[str, float]:
        """Learn from batches once; gives `loss` and `accuracy` over them.

        Raises:
            DataError: when an image cannot be decoded.
        """
        self._put(self._model.variables, self._trained)

        def note(step: int, logs: Mapping[str, float]) -> None:
            self._model.stop_training = after_step(step, logs)

        callback = self._keras.callbacks.LambdaCallback(
            on_train_batch_end=note, on_epoch_end=lambda *_: self._keep_trained()
        )
        with data_errors():
            learned = self._model.fit(batches, shuffle=False, verbose=0, callbacks=[callback])
        self._take_average()
        return {name: float(values[-1]) for name, values in learned.history.items()}

    def measured(self, batches: Any) -> dict[str, float]:
        """`loss` and `accuracy` over batches.

        Raises:
            DataError: when an image cannot be decoded.
        """
        with data_errors():
            measured: dict[str, float] = self._model.evaluate(batches, verbose=0, return_dict=True)
        return measured

    def variables(self) -> tuple[Arrays, Arrays]:
        """All that `fit` changes: of the model, of the optimizer."""
        return (
            self._trained or self._arrays(self._model.variables),
            self._arrays(self._optimizer.variables),
        )

    def restore(self, variables: Arrays, of_optimizer: Arrays) -> None:
        """Put back what `variables` gave."""
        self._put(self._model.variables, variables)
        self._put(self._optimizer.variables, of_optimizer)
        if self._averages:
            self._keep_trained()
            self._optimizer.finalize_variable_values(self._model.trainable_variables)
            self._take_average()

    def _keep_trained(self) -> None:
        """Keep the weights before Keras, at the end of `fit`, puts their average in their place."""
        if self._averages:
            self._trained = self._arrays(self._model.variables)

    def _take_average(self) -> None:
        """Give the model copies of the averages, which Keras has it share with the optimizer.

        On JAX a step frees the arrays that it was given: those of one would be gone for the other.
        """
        if self._averages:
            weights = self._model.trainable_variables
            self._put(weights, self._arrays(weights))

    def _arrays(self, variables: list[Any]) -> Arrays:
        return [np.array(self._keras.ops.convert_to_numpy(variable)) for variable in variables]

    def _put(self, variables: list[Any], arrays: Arrays) -> None:
        if arrays:
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)


def forget_models() -> None:
    """Free what Keras keeps of models that are done with, some megabytes of each.

    Models that are still in use go on; a global dtype policy falls back to its default.
    """
    import_keras().backend.clear_session()


def _smoothed_loss(smoothing: float, classes: int) -> Callable[[Any, Any], Any]:
    keras = import_keras()

    def loss(labels: Any, logits: Any) -> Any:
        return keras.losses.categorical_crossentropy(
            keras.ops.one_hot(keras.ops.reshape(labels, (-1,)), classes),
            keras.ops.cast(logits, "float32"),
            from_logits=True,
            label_smoothing=smoothing,
        )

    return loss


def _optimizer(recipe: Recipe, steps: int) -> Any:
    optimizers = import_keras().optimizers
    rise = round(recipe.warm_up * steps)
    rates = optimizers.schedules.CosineDecay(
        0.0 if rise else recipe.learning_rate,
        max(steps - rise, 1),
        warmup_target=recipe.learning_rate if rise else None,
        warmup_steps=rise,
    )
    shared = {
        "learning_rate": rates,
        "momentum": recipe.momentum,
        "weight_decay": recipe.weight_decay or None,
        "use_ema": recipe.ema_decay > 0,
        "ema_momentum": recipe.ema_decay,
    }
    if recipe.optimizer == "rmsprop":
        optimizer = optimizers.RMSprop(**RMSPROP, **shared)
    else:
        optimizer = optimizers.SGD(nesterov=recipe.momentum > 0, **shared)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


@contextmanager
def _precision(recipe: Recipe) -> Iterator[None]:
    """Make layers that compute in bfloat16, if on a GPU and the recipe wants it."""
    keras = import_keras()
    before = keras.config.dtype_policy()
    try:
        if recipe.mixed_precision and on_gpu():
            keras.config.set_dtype_policy("mixed_bfloat16")
        yield
    finally:
        keras.config.set_dtype_policy(before)
