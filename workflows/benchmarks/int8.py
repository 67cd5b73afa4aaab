"""Eight-bit integers beside bfloat16: throughput, and labels that stay the same.

    python workflows/benchmarks/int8.py --json int8.json

Two networks on tiles of the sample: a U-Net with a ResNet-18, and the one that ships,
whose labels the first learns for some steps: those of random weights say nothing.
Each is quantised after training, calibrated on other tiles: by ONNX Runtime, as `geoseg
models export --int8` does (static, a scale for each channel of a weight, the larger
convolutions), the first also by torch (FX graph mode for x86, all but the first and the
last layer; the other it cannot follow). All in one process, a tile of 256 px at a time.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import segmentation_models_pytorch as smp
import torch
from dynamic_world import some_tiles
from torch.ao.quantization import QConfigMapping, get_default_qconfig
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from geoseg import load_network, load_package
from geoseg.models.exchange.export_onnx import to_int8, to_onnx
from geoseg.models.networks.network import save_package
from geoseg.models.networks.onnx import OnnxNetwork
from geoseg.predict.compute import Compute
from geoseg.predict.loaded_model import load_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from geoseg import ModelPackage

RESNET18, SHIPPED = CASES = ("resnet18", "shipped")
LEARNED, COMPARED = 12, 12
"""Tiles that calibrate, and that learn; tiles that are timed and compared."""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    network: str
    side: str
    cpu_s_mpx: float
    times_bfloat16: float
    labels_of_bfloat16: float
    labels_of_float32: float


def learn(teacher: nn.Module, tiles: Tensor, steps: int) -> nn.Module:
    """Make a U-Net with a ResNet-18 that gives the classes that another gives."""
    torch.manual_seed(0)
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=10, classes=7)
    with torch.inference_mode():
        labels = torch.cat([teacher(tile[None]).argmax(1) for tile in tiles])
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    for step in range(steps):
        chosen = [step % len(tiles), (step + 5) % len(tiles)]
        loss = torch.nn.functional.cross_entropy(network(tiles[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def package_of(case: str, tiles: Tensor, steps: int, folder: Path) -> ModelPackage:
    """Give the model that ships, or a package of another network like it."""
    shipped = load_package("sentinel2-landcover")
    if case == SHIPPED:
        return shipped
    network = learn(load_network(shipped), tiles, steps)
    save_package(folder, network, replace(shipped, name=RESNET18))
    return load_package(folder)


def by_torch_in_int8(package: ModelPackage, learned: Tensor) -> nn.Module:
    """Quantise a network by torch, its first and last layer aside."""
    network = load_network(package)
    layers = [n for n, m in network.named_modules() if isinstance(m, torch.nn.Conv2d)]
    mapping = QConfigMapping().set_global(get_default_qconfig("x86"))
    for name in (layers[0], layers[-1]):
        mapping.set_module_name(name, None)
    torch.backends.quantized.engine = "x86"
    prepared = prepare_fx(network, mapping, (learned[:1],))
    for tile in learned:
        prepared(tile[None])
    return convert_fx(prepared)


def sides_of(
    package: ModelPackage, learned: Tensor
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Give each side's way from a normalised tile to scores."""
    how = Compute("cpu", "bfloat16", 1, 1, 1, "asked for")
    rough = load_model(package, how)
    content = to_onnx(package)
    small = to_int8(content, [tile[None].numpy() for tile in learned])
    card = replace(package, activation="none", channels=(), temperature=1.0)
    sides = {
        "torch, bfloat16": lambda tile: rough(
            tile.to(torch.bfloat16, memory_format=torch.channels_last)
        ),
        "ONNX Runtime, float32": OnnxNetwork(content, card, "plain.onnx"),
        "ONNX Runtime, int8": OnnxNetwork(small, card, "int8.onnx"),
    }
    if package.name == RESNET18:
        sides["torch, int8"] = by_torch_in_int8(package, learned)
    return sides


def measure(case: str, options: argparse.Namespace, folder: Path) -> list[Row]:
    """Time each side, and compare its labels."""
    shipped = load_package("sentinel2-landcover")
    tiles = torch.from_numpy(some_tiles(shipped, LEARNED + COMPARED))
    learned, compared = tiles[:LEARNED], tiles[LEARNED:]
    package = package_of(case, learned, options.steps, folder / case)
    best: dict[str, float] = {}
    labels: dict[str, Tensor] = {}
    with torch.inference_mode():
        sides = sides_of(package, learned)
        for _ in range(options.repeats + 1):  # the first allocates
            for side, network in sides.items():
                begun = time.process_time()
                found = [network(tile[None]).argmax(1) for tile in compared]
                best[side] = min(best.get(side, np.inf), time.process_time() - begun)
                labels[side] = torch.cat(found)
    rough, exact = (labels[side] for side in list(sides)[:2])
    return [
        Row(
            network=case,
            side=side,
            cpu_s_mpx=seconds / (labels[side].numel() / 1e6),
            times_bfloat16=best["torch, bfloat16"] / seconds,
            labels_of_bfloat16=float((labels[side] == rough).float().mean()),
            labels_of_float32=float((labels[side] == exact).float().mean()),
        )
        for side, seconds in best.items()
    ]


def main() -> None:
    """Measure both networks and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2, help="the best is taken")
    parser.add_argument("--steps", type=int, default=150, help="of learning")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # torch's, on what will be elsewhere one day
    torch.set_num_threads(options.threads)
    with TemporaryDirectory() as folder:
        rows = [
            r for case in options.cases for r in measure(case, options, Path(folder))
        ]
    print(f"{platform.processor() or platform.machine()}, {options.threads} thread(s)")
    print(f"torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}")
    print("| network | | CPU s / Mpx | times bfloat16 | its labels | float32's |")
    print("|---|---|---:|---:|---:|---:|")
    for row in rows:
        figures = f"{row.cpu_s_mpx:.2f} | {row.times_bfloat16:.2f}"
        same = f"{row.labels_of_bfloat16:.2%} | {row.labels_of_float32:.2%}"
        print(f"| {row.network} | {row.side} | {figures} | {same} |")
    if options.json:
        record = {"rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
