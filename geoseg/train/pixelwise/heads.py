"""Classifiers of scikit-learn that are fitted to features, and networks made of them.

Each is a *recipe*: which features, which classifier, how strongly it is held back.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from geoseg.models.networks.pixelwise import Pixelwise, feature_count, put_layer
from geoseg.train.pixelwise.pool import LogPool, discriminant
from geoseg.train.pixelwise.windows import SMOOTHING, WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import nn

    from geoseg.train.pixelwise.probe import Probe

_UNASKED = ("context", "pixel")
"""The kinds that are tried where none is named; those with most features first."""
_OF_TREES = ("forest", "voting")
"""Classifiers whose features need no scale, or have one inside."""
_HIDDEN = 32
_TREES = 100


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """A way to fit."""

    architecture: str
    """The features: a key of `WINDOWS`."""
    head: str
    """The classifier: a key of `STRENGTHS`."""
    strength: float
    """How freely it follows the labels: a logistic regression's C; else unused."""

    def __str__(self) -> str:
        """Write it as a part of a sentence."""
        strength = f" with C = {self.strength:g}" if self.head == "logistic" else ""
        return f"{self.head}{strength} on {self.architecture}"


STRENGTHS: dict[str, tuple[float, ...]] = {
    "discriminant": (1.0,),
    "logistic": (0.01, 0.1, 1.0),
    "mlp": (1.0,),
    "forest": (1.0,),
    "pool": (1.0,),
    "voting": (1.0,),
}
"""The classifiers, the simplest first, and the strengths that are tried of each; then
averages of them: of linear ones, and of these and a forest."""
_AVERAGES = ("voting", "pool")


def recipes(
    architecture: str | None, head: str | None, *, averages: bool
) -> Iterator[FitRecipe]:
    """List what may be tried, in the order of preference.

    Args:
        architecture: The kind of features; all that are tried unasked where None.
        head: The classifier; several where None.
        averages: Whether those are averages of classifiers, which hold what is
            averaged, or all the others.

    """
    several = _AVERAGES if averages else [e for e in STRENGTHS if e not in _AVERAGES]
    for classifier in several if head is None else (head,):
        for features in _UNASKED if architecture is None else (architecture,):
            for strength in STRENGTHS[classifier]:
                yield FitRecipe(features, classifier, strength)


def fit_classifier(
    recipe: FitRecipe,
    features: NDArray[np.float32],
    channels: NDArray[np.uint8],
    seed: int,
) -> Any:  # noqa: ANN401  # scikit-learn has no types
    """Fit a classifier that predicts channels.

    Args:
        recipe: Which.
        features: Shape ``(pixel, feature)``.
        channels: The class of each pixel.
        seed: Decides what chance there is.

    """
    windows = WINDOWS[recipe.architecture]
    # What a frozen network adds is not told from bands here: all are taken for those.
    of_band = 1 if recipe.architecture == "probe" else feature_count(1, windows)
    pool = LogPool(features.shape[1] // of_band)
    forest = RandomForestClassifier(_TREES, random_state=seed)
    made: dict[str, Any] = {
        "discriminant": discriminant(),
        "logistic": LogisticRegression(C=recipe.strength, max_iter=500),
        "mlp": MLPClassifier(
            (_HIDDEN,), alpha=1.0, solver="lbfgs", max_iter=100, random_state=seed
        ),
        "forest": forest,
        "pool": pool,
        "voting": VotingClassifier(
            [("pool", make_pipeline(StandardScaler(), pool)), ("forest", forest)],
            voting="soft",
        ),
    }
    chosen = made[recipe.head]
    if recipe.head not in _OF_TREES:
        chosen = make_pipeline(StandardScaler(), chosen)
    # One thread: small matrices gain nothing of more, and sums keep their order.
    with threadpool_limits(1), warnings.catch_warnings():
        # What has not converged, or has one pixel of a class, is measured as it is.
        warnings.simplefilter("ignore", UserWarning)
        return chosen.fit(features, channels)


def to_network(
    recipe: FitRecipe,
    fitted: Any,  # noqa: ANN401  # as above
    bands: int,
    classes: int,
    probe: Probe | None = None,
) -> Pixelwise:
    """Make a network that gives what a classifier gives.

    Args:
        recipe: How it was fitted.
        fitted: The classifier, which knows all classes.
        bands: Bands of the image.
        classes: Classes.
        probe: The frozen network that gave some of the features.

    """
    settings: dict[str, Any] = {
        "encoder_name": recipe.architecture,
        "in_channels": bands,
        "classes": classes,
        "windows": WINDOWS[recipe.architecture],
        "smoothing": SMOOTHING[recipe.architecture],
    }
    if probe is not None:
        own = feature_count(bands, WINDOWS[recipe.architecture])
        settings |= {"frozen": probe.config, "part": probe.part}
        settings |= {"more": fitted.n_features_in_ - own, "network": probe.network}
        settings |= {"normalise": probe.own}
    if recipe.head not in _OF_TREES:
        is_mlp = recipe.head == "mlp"
        network = Pixelwise(
            head="mlp" if is_mlp else "linear", hidden=_HIDDEN * is_mlp, **settings
        )
        first, *others = _scaled_layers(fitted)
        if is_mlp:
            put_layer(network.get_submodule("segmentation_head.first.0"), *first)
        last = others[-1] if others else first
        put_layer(network.get_submodule("segmentation_head.classifier"), *last)
        return network.eval()
    linear, forest = fitted.estimators_ if recipe.head == "voting" else (None, fitted)
    trees = [each.tree_ for each in forest.estimators_]
    nodes = max(tree.node_count for tree in trees)
    depth = max(tree.max_depth for tree in trees)
    size = {"trees": len(trees), "nodes": nodes, "depth": depth}
    network = Pixelwise(head=recipe.head, **size, **settings)
    classifier = network.get_submodule("segmentation_head.classifier")
    if linear is not None:
        (layer,) = _scaled_layers(linear)
        put_layer(classifier.get_submodule("linear"), *layer)
    _plant(classifier, trees)
    return network.eval()


Layers = list[tuple["NDArray[np.float64]", "NDArray[np.float64]"]]


def _scaled_layers(fitted: Any) -> Layers:  # noqa: ANN401  # as above
    """Give the layers of a classifier after its scaler, the first with both."""
    scaler, classifier = fitted[0], fitted[1]
    layers = _layers(classifier)
    first, bias = layers[0]
    layers[0] = first / scaler.scale_, bias - first @ (scaler.mean_ / scaler.scale_)
    return layers


def _layers(classifier: Any) -> Layers:  # noqa: ANN401  # as above
    """Give weights ``(output, input)`` and biases; one output a class at the end."""
    if isinstance(classifier, MLPClassifier):
        pairs = zip(classifier.coefs_, classifier.intercepts_, strict=True)
        layers = [(weight.T, bias) for weight, bias in pairs]
    else:
        layers = [(classifier.coef_, classifier.intercept_)]
    weight, bias = layers[-1]
    if len(weight) == 1:  # of two classes only the second has a score, against 0
        weight = np.concatenate([np.zeros_like(weight), weight])
        bias = np.concatenate([np.zeros_like(bias), bias])
        layers[-1] = weight, bias
    return layers


def _plant(forest: nn.Module, trees: list[Any]) -> None:
    """Give a forest its trees."""
    tensors = {name: each.numpy().copy() for name, each in forest.state_dict().items()}
    for index, tree in enumerate(trees):
        count = tree.node_count
        itself = np.arange(count)
        is_leaf = tree.children_left < 0
        tensors["feature"][index, :count] = np.where(is_leaf, 0, tree.feature)
        tensors["threshold"][index, :count] = _rounded_down(tree.threshold)
        tensors["below"][index, :count] = np.where(is_leaf, itself, tree.children_left)
        tensors["above"][index, :count] = np.where(is_leaf, itself, tree.children_right)
        shares = tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)
        tensors["weight"][:, index, :count] = shares.T
    forest.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()})


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Give the largest float32 not above each: float32 features fall on its side."""
    near = thresholds.astype(np.float32)
    lower = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > thresholds, lower, near).astype(np.float32)
