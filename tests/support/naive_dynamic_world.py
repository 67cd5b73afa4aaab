"""Dynamic World by hand: its published description in numpy, pixel sums and no torch.

Weights are a list in TensorFlow's order and layouts; nothing here is geoseg's.
"""

import numpy as np

LOW = (
    1.7417268007636313,
    1.7261204997060209,
    1.6798346251414997,
    1.7734969472909623,
    2.289154079164943,
    2.382939712192371,
    2.3828939530384052,
    2.1952484264967844,
    1.554812948247501,
)
SPREAD = (
    2.023298706048351,
    2.038905204308012,
    2.179592821212937,
    2.2890068333026603,
    2.6171674549378166,
    2.773418590375327,
    2.7578332604178284,
    2.789092484314204,
    2.4140534947492487,
)
BLOCKS = {"first": (64, 96), "second": (96, 144), "third": (192, 144)}


def tensor_shapes():
    """The shape of each tensor, in order, as the table of the published ones has it."""
    shapes = [(3, 3, 9, 64), *vectors(64, 5)]
    for name, (taken, given) in BLOCKS.items():
        shapes += [(1, 1, taken, given), *vectors(given, 5)]
        for _ in range(2):
            shapes += [(3, 3, given, 1), *vectors(given, 5)]
            shapes += [(1, 1, given, given), *vectors(given, 5)]
        if name == "second":
            shapes += [(1, 1, 64, 48), *vectors(48, 5)]
        shapes += [(3, 3, given, 1), (given,), (1, 1, taken, given), (given,)]
        shapes += vectors(given, 8)
        if name == "second":
            shapes += [(3, 3, 48, 1), *vectors(48, 5)]
    return [*shapes, (1, 1, 144, 9), (9,)]


def vectors(size, count):
    return [(size,)] * count


def random_tensors(seed):
    """Weights that keep features at the size of 1, so that every layer counts."""
    rng = np.random.default_rng(seed)
    tensors = []
    for shape in tensor_shapes():
        taps = np.prod(shape[:-1]) if shape[-1] > 1 else np.prod(shape[:2])
        scale = 4 / np.sqrt(taps) if len(shape) > 1 else 0.2
        tensors.append(rng.normal(0, scale, shape).astype("f4"))
    # What is one number a channel includes variances, which are above 0.
    return [np.abs(t) + np.float32(0.3) if t.ndim == 1 else t for t in tensors]


class Naive:
    """The network on digital numbers; each call takes the tensors in their order."""

    def __init__(self, tensors):
        """Begin with the first tensor."""
        self.rest = iter([each.astype("f8") for each in tensors])

    def logits(self, pixels):
        """Score digital numbers ``(band, y, x)``: ``(class, y, x)``."""
        low, spread = (np.array(each) for each in (LOW, SPREAD))
        x = np.log(0.005 * pixels.transpose(1, 2, 0).astype("f8") + 1)
        x = 1 / (1 + np.exp(-(5 * (x - low) / spread - 1)))
        height, width = x.shape[:2]
        x = self.norm(self.conv(x))
        x = resize(x, (height // 2, width // 2))
        far = self.block(x)
        far, near = self.block(far, beside=x)
        x = self.block(np.concatenate([far, near], axis=2))
        x = resize(x, (height, width))
        x = x / np.sqrt((x**2).sum(axis=2, keepdims=True))
        return self.conv(x).transpose(2, 0, 1)

    def conv(self, x):
        kernel, bias = next(self.rest), next(self.rest)
        return convolve(x, kernel) + bias

    def norm(self, x):
        gain, shift, mean, variance = (next(self.rest) for _ in range(4))
        x = gain * (x - mean) / np.sqrt(variance + 0.001) + shift
        return x * np.tanh(np.logaddexp(0, x))

    def block(self, x, beside=None):
        y = x
        for _ in range(5):
            y = self.norm(self.conv(y))
        near = None if beside is None else self.norm(self.conv(beside))
        y, projected = self.conv(y), self.conv(x)
        total = self.norm(y) + self.norm(projected)
        if beside is None:
            return total
        return total, self.norm(self.conv(near))


def convolve(x, kernel):
    """Sum over the taps, zeros beyond the edges; depthwise where a kernel gives one."""
    size = kernel.shape[0]
    margin = size // 2
    padded = np.pad(x, ((margin, margin), (margin, margin), (0, 0)))
    total = 0
    for row in range(size):
        for col in range(size):
            part = padded[row : row + x.shape[0], col : col + x.shape[1]]
            tap = kernel[row, col]
            depthwise = tap.shape[1] == 1
            total = total + (part * tap[:, 0] if depthwise else part @ tap)
    return total


def resize(x, sides):
    """Bilinear by half-pixel centres; where it shrinks, the tent is as much wider."""
    rows, cols = (weights(*pair) for pair in zip(x.shape[:2], sides, strict=True))
    return np.einsum("ir,jc,rck->ijk", rows, cols, x)


def weights(old, new):
    scale = old / new
    wide = max(scale, 1)
    centres = (np.arange(new) + 0.5) * scale
    away = np.abs(np.arange(old) + 0.5 - centres[:, np.newaxis]) / wide
    tent = np.maximum(1 - away, 0)
    return tent / tent.sum(axis=1, keepdims=True)
