"""Linear classifiers whose answers are averaged to one linear classifier.

Averages of classifiers are seldom worse than the best of them, and nobody knows of few
labels which that is (Dietterich 2000, Ensemble methods in machine learning, LNCS 1857).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRENGTH = 0.03
"""How freely the logistic regression follows the labels, its C."""


class LogPool(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no types
    """The logarithmic opinion pool of linear classifiers, each with one vote.

    Probabilities are the geometric mean, brought to a sum of 1, of those of a
    discriminant on all features, of one on a pixel's own bands, and of a logistic
    regression (Genest and Zidek 1986, Combining probability distributions, Statistical
    Science 1). Their logarithms are linear in the features, and so is the mean.
    """

    def __init__(self, own: int) -> None:
        """Say how many of the features, the first, are the pixel's own bands."""
        self.own = own

    def fit(self, features: NDArray[np.float64], labels: NDArray[np.int64]) -> LogPool:
        """Fit all to standardised features, shape ``(pixel, feature)``."""
        self.classes_ = np.unique(labels)
        self.n_features_in_ = features.shape[1]
        counts = dict.fromkeys((self.n_features_in_, self.own))
        fitted = [discriminant().fit(features[:, :n], labels) for n in counts]
        logistic = LogisticRegression(C=_STRENGTH, max_iter=500)
        fitted.append(logistic.fit(features, labels))
        shape = len(fitted), len(self.classes_), self.n_features_in_
        weights, biases = np.zeros(shape), np.zeros(shape[:2])
        for weight, bias, each in zip(weights, biases, fitted, strict=True):
            # Of two classes only the second has a score, against 0.
            rows = slice(-len(each.coef_), None)
            weight[rows, : each.n_features_in_] = each.coef_
            bias[rows] = each.intercept_
        self.coef_, self.intercept_ = weights.mean(axis=0), biases.mean(axis=0)
        return self

    def predict_proba(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give probabilities, shape ``(pixel, class)``."""
        scores = features @ self.coef_.T + self.intercept_
        probabilities: NDArray[np.float64] = softmax(scores, axis=1)
        return probabilities

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Give the most probable class of each."""
        best = self.predict_proba(features).argmax(axis=1)
        found: NDArray[np.int64] = self.classes_[best]
        return found


def discriminant() -> LinearDiscriminantAnalysis:
    """Make one whose covariance is shrunk as far as Ledoit and Wolf (2004) choose."""
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
