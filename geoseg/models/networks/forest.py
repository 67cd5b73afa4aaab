"""Forests of decision trees as networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST = 1e-4
"""A class that no tree of a forest votes for has this share of the probability."""
_AT_ONCE = 128
"""Pixels that go down a tree together: they and it stay in the fastest cache."""


class Forest(nn.Module):
    """Decision trees that all vote: Breiman (2001), Random forests, ML 45.

    Trees are tensors of shape ``(tree, node)``. A leaf's children are itself, so that
    ``depth`` steps end in a leaf of each tree, wherever it is.
    """

    feature: Tensor
    threshold: Tensor
    below: Tensor
    above: Tensor
    weight: Tensor

    def __init__(
        self, features: int, classes: int, *, trees: int, nodes: int, depth: int
    ) -> None:
        """Make room for trees."""
        super().__init__()
        self.features, self.nodes, self.depth = features, nodes, depth
        for name in ("feature", "below", "above"):
            self.register_buffer(name, torch.zeros(trees, nodes, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(trees, nodes))
        # A leaf's shares of the classes.
        self.register_buffer("weight", torch.zeros(classes, trees, nodes))

    def forward(self, features: Tensor) -> Tensor:
        """Give the logarithm of the mean of the trees' shares of each class."""
        count, _, height, width = features.shape
        pixels = features.permute(0, 2, 3, 1).flatten(0, 2)
        total = _operator(self).apply(pixels)
        scores: Tensor = (total / self.feature.shape[0]).clamp(min=_LEAST).log()
        scores += 0 * pixels.sum(1, keepdim=True)  # NaN falls on no side of a threshold
        return scores.reshape(count, height, width, -1).permute(0, 3, 1, 2)

    def walk(self, pixels: Tensor) -> Tensor:
        """Add the shares of the leaf of each tree, ``(pixel, class)``."""
        total = pixels.new_zeros(len(pixels), self.weight.shape[0])
        for tree in range(self.feature.shape[0]):
            node = torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)
            for _ in range(self.depth):
                value = pixels.gather(1, self.feature[tree][node][:, None])[:, 0]
                is_below = value <= self.threshold[tree][node]
                node = torch.where(
                    is_below, self.below[tree][node], self.above[tree][node]
                )
            total += self.weight[:, tree].T.contiguous()[node]
        return total

    def walk_compiled(self, pixels: Tensor) -> Tensor:
        """Do the same by a kernel."""
        total = pixels.new_zeros(len(pixels), self.weight.shape[0])
        _add_leaves(
            pixels.contiguous().numpy(force=True),
            self._compact(),
            self.depth,
            total.numpy(),
        )
        return total

    def _compact(self) -> tuple[NDArray[np.generic], ...]:
        """Lay side by side what is looked up together: children, a leaf's shares."""
        pairs = torch.stack([self.below, self.above], -1).flatten(1)
        return (
            self.feature.numpy(force=True).astype(np.uint32),
            self.threshold.numpy(force=True),
            pairs.numpy(force=True).astype(np.uint32),
            self.weight.permute(1, 2, 0).contiguous().numpy(force=True),
        )

    def listed(self) -> dict[str, Any]:
        """List the nodes as ONNX's TreeEnsembleRegressor (ai.onnx.ml 3) has them."""
        is_used = torch.zeros_like(self.below, dtype=torch.bool)
        is_used[:, 0] = True
        is_used.scatter_(1, self.below, value=True).scatter_(1, self.above, value=True)
        tree, node = is_used.nonzero(as_tuple=True)
        is_leaf = self.below[tree, node] == node
        classes = torch.arange(len(self.weight))
        ends, of_class = torch.meshgrid(is_leaf.nonzero()[:, 0], classes, indexing="ij")
        ends, of_class = ends.flatten(), of_class.flatten()
        return {
            "nodes_treeids_i": tree.tolist(),
            "nodes_nodeids_i": node.tolist(),
            "nodes_featureids_i": self.feature[tree, node].tolist(),
            "nodes_values_f": self.threshold[tree, node].tolist(),
            "nodes_truenodeids_i": self.below[tree, node].tolist(),
            "nodes_falsenodeids_i": self.above[tree, node].tolist(),
            "nodes_modes_s": [
                "LEAF" if each else "BRANCH_LEQ" for each in is_leaf.tolist()
            ],
            "target_treeids_i": tree[ends].tolist(),
            "target_nodeids_i": node[ends].tolist(),
            "target_ids_i": of_class.tolist(),
            "target_weights_f": self.weight[of_class, tree[ends], node[ends]].tolist(),
            "n_targets_i": len(self.weight),
        }

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *how: object
    ) -> None:
        """Take tensors that point to nodes and features of theirs only.

        Compiled code follows them unasked.
        """
        super()._load_from_state_dict(state_dict, prefix, *how)
        errors = cast("list[str]", how[-1])
        ends = {"feature": self.features, "below": self.nodes, "above": self.nodes}
        for name, end in ends.items():
            found = getattr(self, name)
            if found.numel() and not 0 <= int(found.min()) <= int(found.max()) < end:
                errors.append(f"{prefix}{name} points beyond its {end} places")


def _operator(forest: Forest) -> type[torch.autograd.Function]:
    """Make what adds the leaves' shares of ``(pixel, feature)``: ``(pixel, class)``.

    By a kernel on a CPU, by torch elsewhere, to the same bits; and in ONNX, whose
    exporter takes an operator without arguments but tensors, by one for trees.
    """

    class Leaves(torch.autograd.Function):
        @staticmethod
        def forward(_: object, pixels: Tensor) -> Tensor:
            on_cpu = pixels.device.type == "cpu"
            return forest.walk_compiled(pixels) if on_cpu else forest.walk(pixels)

        @staticmethod
        def symbolic(graph: Any, pixels: Any) -> Any:  # noqa: ANN401  # the exporter's
            leaves = graph.op(
                "ai.onnx.ml::TreeEnsembleRegressor", pixels, **forest.listed()
            )
            # What of it the exporter, which knows no trees, would warn it cannot tell.
            return leaves.setType(pixels.type().with_sizes([None, len(forest.weight)]))

    return Leaves


@kernel
def _add_leaves(
    pixels: NDArray[np.float32],
    trees: tuple[NDArray[np.generic], ...],
    depth: int,
    total: NDArray[np.float32],
) -> None:
    """Add to `total`, ``(pixel, class)``, the shares of the leaf of each tree.

    Some pixels at a time, so that they and a tree stay in the processor's cache. They
    go down a tree together, without branches: which way a pixel goes is as good as
    chance to the processor, and one that guesses wrong half of the time waits.
    """
    feature, threshold, children, leaves = trees
    count, width = pixels.shape
    for first in range(0, count, _AT_ONCE):
        some = pixels[first : first + _AT_ONCE]
        values = some.reshape(-1)
        begin = (np.arange(len(some)) * width).astype(np.uint32)
        nodes = np.empty(len(some), np.uint32)
        for tree in range(len(feature)):
            nodes[:] = 0
            for _ in range(depth):
                if not _go_down(
                    nodes, begin, values, feature[tree], threshold[tree], children[tree]
                ):
                    break
            for pixel in range(len(some)):
                shares = leaves[tree, nodes[pixel]]
                for label in range(len(shares)):
                    total[first + pixel, label] += shares[label]


@kernel
def _go_down(  # a kernel's arguments are arrays
    nodes: NDArray[np.uint32],
    begin: NDArray[np.uint32],
    values: NDArray[np.float32],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    children: NDArray[np.uint32],
) -> bool:
    """Bring each pixel to a child of its node; return whether any was no leaf.

    All is unsigned: indices that might count from the end cost a test each.
    """
    moved = np.uint32(0)
    for pixel in range(len(nodes)):
        node = np.uint32(nodes[pixel])
        value = values[np.uint32(begin[pixel] + feature[node])]
        is_below = np.uint32(value <= threshold[node])
        child = children[np.uint32(node + node + np.uint32(1) - is_below)]
        moved |= child ^ node
        nodes[pixel] = child
    return bool(moved)
