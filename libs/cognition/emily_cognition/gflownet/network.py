"""A multilayer perceptron in NumPy: forward, backward, and Adam over one flat vector of parameters."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from emily_cognition.gflownet.graph import Floats

Layers = list[tuple[Floats, Floats]]


@dataclass(frozen=True)
class Network:
    """The shape of a perceptron with rectified hidden layers. It computes in the precision of its parameters.

    Attributes:
        sizes: Of its layers, inputs first.
    """

    sizes: tuple[int, ...]

    @property
    def parameters(self) -> int:
        """How many parameters there are: weights (n, m) and biases (m,) of each layer, in order."""
        return sum((n + 1) * m for n, m in itertools.pairwise(self.sizes))

    def initial(self, rng: np.random.Generator) -> Floats:
        """Parameters in single precision, drawn uniformly from +-1/sqrt(inputs) of each layer."""
        parameters = np.empty(self.parameters, dtype=np.float32)
        for weights, bias in self.layers(parameters):
            bound = 1.0 / math.sqrt(len(weights))
            weights[:] = rng.uniform(-bound, bound, weights.shape)
            bias[:] = rng.uniform(-bound, bound, bias.shape)
        return parameters

    def layers(self, parameters: Floats) -> Layers:
        """Weights and bias of each layer, as views of the flat vector."""
        layers, start = [], 0
        for n, m in itertools.pairwise(self.sizes):
            middle, end = start + n * m, start + (n + 1) * m
            layers.append((parameters[start:middle].reshape(n, m), parameters[middle:end]))
            start = end
        return layers

    def forward(self, layers: Layers, values: list[Floats]) -> Floats:
        """The output, which is linear.

        Args:
            layers: Weights and biases.
            values: The inputs, then a place for the activations of each hidden layer, which are filled.
        """
        for i, (weights, bias) in enumerate(layers[:-1]):
            np.matmul(values[i], weights, out=values[i + 1])
            np.add(values[i + 1], bias, out=values[i + 1])
            np.maximum(values[i + 1], 0.0, out=values[i + 1])
        weights, bias = layers[-1]
        return np.asarray(values[-1] @ weights + bias)

    def backward(self, layers: Layers, values: list[Floats], slope: Floats) -> Floats:
        """The gradient of the parameters from that of the output (chain rule).

        Args:
            layers: Of the forward pass.
            values: The inputs and activations of the forward pass.
            slope: Gradient of the loss by the output.
        """
        gradient = np.empty(self.parameters, dtype=values[0].dtype)
        slope = slope.astype(gradient.dtype)
        slopes = self.layers(gradient)
        for i in range(len(layers) - 1, -1, -1):
            np.matmul(values[i].T, slope, out=slopes[i][0])
            slope.sum(axis=0, out=slopes[i][1])
            if i > 0:
                slope = slope @ layers[i][0].T
                slope *= values[i] > 0.0
        return gradient


@dataclass(eq=False)
class Adam:
    """Adaptive moments of a vector (Kingma & Ba 2015), moved in place.

    Attributes:
        first, second: Moving averages of the gradient and of its square.
        steps: Taken so far.
    """

    first: Floats
    second: Floats
    steps: int = 0

    @classmethod
    def of(cls, values: Floats) -> Adam:
        """At rest, for values of this size and precision."""
        return cls(np.zeros_like(values), np.zeros_like(values))

    def copy(self) -> Adam:
        """One that moves by itself."""
        return Adam(self.first.copy(), self.second.copy(), self.steps)

    def move(self, values: Floats, gradient: Floats, rate: float) -> None:
        """One step of the values against the gradient."""
        self.steps += 1
        self.first *= _BETA1
        self.first += (1.0 - _BETA1) * gradient
        self.second *= _BETA2
        np.square(gradient, out=gradient)
        gradient *= 1.0 - _BETA2
        self.second += gradient
        scale = math.sqrt(1.0 - _BETA2**self.steps)
        np.sqrt(self.second, out=gradient)
        gradient += _EPSILON * scale
        np.divide(self.first, gradient, out=gradient)
        gradient *= rate * scale / (1.0 - _BETA1**self.steps)
        values -= gradient


_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
