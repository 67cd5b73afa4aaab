"""The receptive field of small networks, against every pixel tried one by one."""

import json
import shutil

import pytest
import tiny_models
import torch
from click.testing import CliRunner
from packages import CARD, TRAINING
from torch import nn

from geoseg.cli import main
from geoseg.errors import ModelError
from geoseg.models.inspection import inspect_model
from geoseg.models.networks.network import save_package
from geoseg.models.networks.receptive_field import (
    ReceptiveField,
    exact_overlap,
)
from geoseg.models.networks.receptive_field import measure_field as measure


class Excite(nn.Module):
    """Each pixel times what the mean of the whole plane says."""

    def forward(self, x):
        return x * x.mean(dim=(2, 3), keepdim=True).sigmoid()


class Attend(nn.Module):
    """Each pixel a mixture of all."""

    def forward(self, x):
        flat = x.flatten(2)
        return ((flat.mT @ flat).softmax(-1) @ flat.mT).mT.reshape(x.shape)


class Skip(nn.Module):
    """What a small U-Net does: a detour at half the size, beside the straight way."""

    def __init__(self):
        """Lay the detour."""
        super().__init__()
        self.down = nn.Sequential(conv(3, stride=2), nn.ReLU(), conv(3))
        self.up = nn.Upsample(scale_factor=2)

    def forward(self, x):
        return x + self.up(self.down(x))


def conv(kernel, dilation=1, stride=1):
    sizes = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = tuple(dilation * (side - 1) // 2 for side in sizes)
    return nn.Conv2d(2, 2, sizes, stride, padding, dilation)


def double():
    return nn.Upsample(scale_factor=2)


def blind():
    """A layer whose ReLU is closed for all the pixels that a test sends."""
    layer = conv(3)
    nn.init.constant_(layer.bias, -1e4)
    return layer


FINITE = {  # name: (network, stride, radius worked out on paper)
    "one pixel": (conv(1), 1, 0),
    "two of 3 x 3": (nn.Sequential(conv(3), nn.ReLU(), conv(3)), 1, 2),
    "batch norm": (nn.Sequential(conv(3), nn.BatchNorm2d(2), conv(5)), 1, 3),
    "dilated": (nn.Sequential(conv(3, dilation=5), conv(3)), 1, 6),
    "leaping": (conv(3, dilation=40), 1, 40),
    "wider than high": (conv((3, 9)), 1, 4),
    "higher than wide": (conv((7, 1)), 1, 3),
    # Pixel 1 of a pair is seen by the pooled pixels 0 and 1, which fill 0 to 3.
    "pooled": (nn.Sequential(nn.MaxPool2d(3, 2, 1), double()), 2, 2),
    "a skipped row": (nn.Sequential(nn.MaxPool2d(1, 2), double()), 2, 1),
    # Pixel 1 is seen by 0 and 1 of the half-sized plane, then by -1 to 2: to -2 or 5.
    "skip": (Skip(), 2, 4),
    "closed": (nn.Sequential(blind(), nn.ReLU(), conv(3)), 1, 2),
}
GLOBAL = {
    "squeeze and excite": Excite(),
    "attention": Attend(),
    "instance norm": nn.InstanceNorm2d(2),
    "group norm": nn.GroupNorm(1, 2),
    "pyramid pooling": nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Upsample(size=64)),
}


def positive(network):
    """Make weights that let every change through, in float64, to count by."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.uniform_(layer.weight, 0.5, 1.0)
            nn.init.zeros_(layer.bias)
    return network.double().eval()


def tried(network, stride, side):
    """Change every pixel of a stride, and see how far from it the output changes."""
    network = positive(network)
    plane = torch.rand(1, 2, side, side, dtype=torch.float64)
    middle = side // 2 // stride * stride
    farthest = 0
    with torch.inference_mode():
        before = network(plane)
        for row in range(middle, middle + stride):
            for col in range(middle, middle + stride):
                changed = plane.clone()
                changed[:, :, row, col] += 1e6
                moved = (network(changed) != before).any(1)[0].nonzero()
                away = (moved - torch.tensor([row, col])).abs()
                farthest = max(farthest, int(away.max()) if len(away) else 0)
    return farthest


@pytest.mark.parametrize("name", FINITE)
def test_a_finite_field_is_what_trying_every_pixel_gives(name):
    torch.manual_seed(0)
    network, stride, radius = FINITE[name]
    field = measure(network.float().eval(), bands=2, stride=stride, tile=8)
    assert (field.radius, field.steady) == (radius, True)
    assert tried(network, stride, side=96) == radius


@pytest.mark.parametrize("name", GLOBAL)
def test_what_mixes_the_whole_plane_is_global(name):
    field = measure(GLOBAL[name].eval(), bands=2, stride=1, tile=8, longest=128)
    assert field == ReceptiveField(None, steady=False, overlap=None, tile=None)


def test_a_layer_that_looks_at_the_planes_size_has_no_exact_overlap():
    size = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    network = nn.Sequential(conv(3, stride=2), size).eval()
    field = measure(network, bands=2, stride=2, tile=8)
    assert field.radius is not None
    assert (field.steady, field.overlap, field.tile) == (False, None, None)


@pytest.mark.parametrize("name", FINITE)
def test_tiles_cut_to_their_centres_are_exact_with_the_overlap_that_is_given(name):
    torch.manual_seed(1)
    network, stride, _ = FINITE[name]
    field = measure(network.float().eval(), bands=2, stride=stride, tile=8)
    network = positive(network)
    tile, half = field.tile, field.overlap // 2
    plane = torch.rand(1, 2, 4 * tile, 4 * tile, dtype=torch.float64)
    start = tile + stride
    cut = plane[:, :, start : start + tile, start : start + tile]
    with torch.inference_mode():
        whole, alone = network(plane), network(cut)
    assert tile % stride == 0
    assert half * 2 <= tile // 2
    core = slice(half, tile - half)
    same = slice(start + half, start + tile - half)
    torch.testing.assert_close(alone[:, :, core, core], whole[:, :, same, same])


def test_the_least_legal_overlap_is_even_and_a_multiple_of_the_stride():
    for stride in (1, 2, 3, 8, 32):
        for radius in range(70):
            overlap = exact_overlap(radius, stride)
            legal = [o for o in range(0, 300, 2) if o % stride == 0 and o >= 2 * radius]
            assert overlap == legal[0]


def test_a_network_that_gives_no_numbers_is_refused():
    network = conv(3)
    nn.init.constant_(network.bias, torch.nan)
    with pytest.raises(ModelError, match="values that are not numbers"):
        measure(network, bands=2, stride=1, tile=8)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package whose network is a shallow U-Net."""
    network = tiny_models.build(
        "Unet", "resnet18", tiny_models.NARROW, bands=2, classes=3, seed=1
    )
    path = tmp_path_factory.mktemp("package")
    save_package(path, network.eval(), CARD, TRAINING)
    return path


def reach_of_a_shallow_unet():
    """How far down a pixel reaches, worked out layer by layer with integers."""
    farthest = 0
    for pixel in range(8):
        row = (pixel + 3) // 2  # 7 x 7, stride 2
        row = (row + 1) // 2 + 4  # pooled; four of 3 x 3
        row = (row + 1) // 2 + 3  # stride 2; three more
        for _ in range(3):
            row = 2 * row + 1 + 2  # doubled, then two of 3 x 3
        farthest = max(farthest, row + 1 - pixel)  # the head
    return farthest


def test_the_command_says_the_field_of_a_unet(package):
    shown = CliRunner().invoke(
        main, ["models", "inspect", str(package), "--receptive-field", "--json"]
    )
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    field = found["receptive_field"]
    assert field["radius"] == reach_of_a_shallow_unet()
    assert field["overlap"] == exact_overlap(field["radius"], CARD.stride)
    assert field["tile"] == 2 * field["overlap"]
    text = CliRunner().invoke(
        main, ["models", "inspect", str(package), "--receptive-field"]
    )
    assert f"up to {field['radius']} px away" in text.stdout
    assert f"--blend crop --tile {field['tile']}" in " ".join(text.stdout.split())


def test_without_the_flag_nothing_is_measured(package, monkeypatch):
    monkeypatch.setattr("geoseg.models.networks.receptive_field.measure_field", None)
    found = inspect_model(package)
    assert found.receptive_field is None
    assert found.network == "Unet, resnet18"
    shown = CliRunner().invoke(main, ["models", "inspect", str(package)])
    words = " ".join(shown.stdout.split())
    assert "tile 64 px, overlap 32, stride 32" in words
    assert "field" not in words


def test_a_network_for_one_size_of_plane_is_refused_in_a_sentence(
    package, tmp_path, monkeypatch
):
    def refuse(*_):
        raise AssertionError("Input image height (256) doesn't match model (224).")

    copy = shutil.copytree(package, tmp_path / "model")
    monkeypatch.setattr("geoseg.models.networks.receptive_field._Planes.send", refuse)
    shown = CliRunner().invoke(
        main, ["models", "inspect", str(copy), "--receptive-field"]
    )
    assert shown.exit_code == 2
    assert "does not take planes of other sizes" in shown.output
