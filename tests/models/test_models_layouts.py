"""Checkpoints as training scripts write them: the same weights, however they lie."""

from __future__ import annotations

import copy
import json
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from geoseg.errors import ModelError
from geoseg.models.networks.network import build_network, load_network
from geoseg.models.package.make import make_package
from geoseg.options import NewPackage

SAID = NewPackage(
    name="tiny",
    bands=("#1", "#2"),
    classes=("land", "sea", "ice"),
    gsd_m=1.0,
    tile=32,
    overlap=0,
    activation="softmax",
)


CONFIG = {
    "_model_class": "Unet",
    "encoder_name": "tu-mobilenetv3_small_050",
    "in_channels": 2,
    "classes": 3,
    "decoder_channels": [16, 12, 8, 8, 4],
}
"""A U-Net of half a million weights."""


def trained(seed=7):
    """Give it weights, and statistics of batches, as a training does."""
    torch.manual_seed(seed)
    network = build_network(CONFIG)
    with torch.no_grad():
        network(torch.randn(4, 2, 32, 32))  # moves running means and deviations
    return network.eval()


@pytest.fixture(scope="module")
def network():
    return trained()


class Wrapped(nn.Module):
    """A Lightning module, or any other that has the network as a part of itself."""

    def __init__(self, network, called, **others):
        """Name the network as others do; keep buffers beside it."""
        super().__init__()
        setattr(self, called, network)
        for name, value in others.items():
            self.register_buffer(name, value)


def state(network, called, **others):
    return Wrapped(network, called, **others).state_dict()


def sd(network):
    return dict(network.state_dict())


def before(prefix, network):
    return {f"{prefix}{name}": value for name, value in sd(network).items()}


def adam(network):
    """Give the state of an optimiser after a step, on a copy."""
    twin = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(twin.parameters(), lr=0.0)
    twin(torch.randn(1, 2, 32, 32)).mean().backward()
    optimiser.step()
    return optimiser.state_dict()


def within(name, network):
    """Put a wrapper into the middle of names, as sharding or compiling a part does."""
    return {
        key.replace("encoder.", f"encoder.{name}.", 1): value
        for key, value in sd(network).items()
    }


def no_counters(network):
    return {k: v for k, v in sd(network).items() if not k.endswith("batches_tracked")}


LIGHTNING = {
    "epoch": 3,
    "global_step": 100,
    "pytorch-lightning_version": "2.5.0",
    "hyper_parameters": {"lr": 0.1, "encoder": "resnet18"},
    "loops": {},
    "callbacks": {},
    "lr_schedulers": [],
}
METRIC = {"confmat": torch.zeros(3, 3, dtype=torch.int64)}

LAYOUTS = {
    "plain": sd,
    "ordered": lambda n: OrderedDict(n.state_dict()),
    "parameters": lambda n: (
        {
            k: nn.Parameter(v, requires_grad=False)
            for k, v in sd(n).items()
            if v.is_floating_point()
        }
        | {k: v for k, v in sd(n).items() if not v.is_floating_point()}
    ),
    "state_dict": lambda n: {"state_dict": sd(n), "epoch": 3},
    "model_state_dict": lambda n: {"model_state_dict": sd(n), "loss": 0.5},
    "model_state": lambda n: {"model_state": sd(n), "epoch": 3},
    "model": lambda n: {"model": sd(n), "optimizer": adam(n), "epoch": 3},
    "net": lambda n: {"net": sd(n)},
    "network": lambda n: {"network": sd(n), "best_miou": 0.5},
    "weights": lambda n: {"weights": sd(n)},
    "params": lambda n: {"params": sd(n)},
    "params_ema": lambda n: {"params_ema": sd(n)},
    "model_ema": lambda n: {"model_ema": sd(n)},
    "generator": lambda n: {"generator": sd(n), "discriminator": sd(nn.Linear(2, 2))},
    "module": lambda n: {"module": sd(n), "global_steps": 5},
    "deep": lambda n: {"checkpoint": {"model": {"state_dict": sd(n)}}, "epoch": 1},
    "parts": lambda n: {name: sd(part) for name, part in n.named_children()},
    "ddp": lambda n: before("module.", n),
    "compiled": lambda n: before("_orig_mod.", n),
    "compiled ddp": lambda n: before("_orig_mod.module.", n),
    "ddp compiled": lambda n: {"state_dict": before("module._orig_mod.", n)},
    "sharded": lambda n: within("_fsdp_wrapped_module", n),
    "checkpointed": lambda n: within("_checkpoint_wrapped_module", n),
    "compiled part": lambda n: within("_orig_mod", n),
    "swa": lambda n: {**before("module.", n), "n_averaged": torch.tensor(5)},
    "lightning": lambda n: {**LIGHTNING, "state_dict": state(n, "model")},
    "lightning compiled": lambda n: {
        **LIGHTNING,
        "state_dict": before("model._orig_mod.", n),
        "optimizer_states": [adam(n)],
    },
    "lightning and mean": lambda n: {
        **LIGHTNING,
        "state_dict": state(n, "model", mean=torch.ones(2), std=torch.ones(2)),
    },
    "lightning and loss": lambda n: {
        **LIGHTNING,
        "state_dict": {**before("model.", n), "criterion.weight": torch.ones(3)},
    },
    "lightning and metrics": lambda n: {
        **LIGHTNING,
        "state_dict": {
            **before("model.", n),
            **{f"train_metrics.{k}": v for k, v in METRIC.items()},
            **{f"val_metrics.{k}": v for k, v in METRIC.items()},
        },
    },
    "segmentor": lambda n: {
        "meta": {"epoch": 3},
        "state_dict": before("segmentor.", n),
    },
    "network inside": lambda n: {"state_dict": before("network.", n)},
    "two deep": lambda n: {"state_dict": before("task.model.", n)},
    "second head": lambda n: {**sd(n), "classification_head.3.weight": torch.ones(2)},
    "without counters": no_counters,
    "half": lambda n: {
        k: v.half() if v.is_floating_point() else v
        for k, v in sd(copy.deepcopy(n)).items()
    },
    "double": lambda n: {
        k: v.double() if v.is_floating_point() else v for k, v in sd(n).items()
    },
}
FOREIGN = {
    "generator": 0,
    "swa": 1,
    "lightning and mean": 2,
    "lightning and loss": 1,
    "lightning and metrics": 2,
    "second head": 1,
}
"""Layouts with tensors that are not the network's, and how many."""


def make(path, folder, warnings=None, **changes):
    config = path.with_name("config.json")
    config.write_text(json.dumps(CONFIG))
    return make_package(
        path,
        folder,
        replace(SAID, **changes),
        pickled=path.suffix != ".safetensors",
        on_step=lambda step: (
            None if warnings is None else warnings.extend(step.warnings)
        ),
    )


def agree(package, network, tolerance=1e-5):
    pixels = torch.randn(1, 2, 32, 32)
    with torch.inference_mode():
        given, expected = load_network(package)(pixels), network(pixels)
    torch.testing.assert_close(given, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_are_found_however_they_lie_in_a_checkpoint(network, tmp_path, layout):
    torch.save(LAYOUTS[layout](network), tmp_path / "x.pt")
    messages = []
    package = make(tmp_path / "x.pt", tmp_path / "p", messages)
    agree(package, network, 0.02 if layout == "half" else 1e-5)
    count = FOREIGN.get(layout, 0)
    assert len(messages) == bool(count), messages
    tensors = "1 tensor" if count == 1 else f"{count} tensors"
    assert not count or f"left out {tensors}, not the network's" in messages[0]


@pytest.mark.parametrize(
    "prefix", ["", "model.", "module.", "segmentor.", "network.", "_orig_mod.model."]
)
def test_weights_are_found_whatever_their_names_begin_with(network, tmp_path, prefix):
    tensors = {**before(prefix, network), "criterion.weight": torch.ones(3)}
    save_file(tensors, tmp_path / "x.safetensors")
    agree(make(tmp_path / "x.safetensors", tmp_path / "p"), network)


def test_a_file_of_an_older_kind_is_read(network, tmp_path):
    torch.save(sd(network), tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    agree(make(tmp_path / "x.pth", tmp_path / "p"), network)


def test_statistics_that_a_file_holds_are_reported(network, tmp_path):
    mean = torch.tensor([0.485, 0.456])
    held = {"state_dict": state(network, "model", mean=mean)}
    torch.save(held, tmp_path / "x.ckpt")
    messages = []
    make(tmp_path / "x.ckpt", tmp_path / "p", messages)
    assert "state_dict/mean is 0.485, 0.456: give `mean` and `std`" in messages[0]


@pytest.mark.parametrize("nested", [True, False])
def test_of_two_that_fit_the_first_is_taken_and_the_other_reported(
    network, tmp_path, nested
):
    other = trained(seed=8)
    held = {"model_ema": sd(other), "model": sd(network)}
    if not nested:
        held = before("teacher.", other) | before("student.", network)
    torch.save(held, tmp_path / "x.pt")
    messages = []
    agree(make(tmp_path / "x.pt", tmp_path / "p", messages), network)
    second = "model_ema" if nested else "teacher"
    assert f"those under '{second}' fit as well and differ: `prefix`" in messages[0]
    messages.clear()
    agree(make(tmp_path / "x.pt", tmp_path / "q", messages, prefix=second), other)
    assert "fit as well" not in " ".join(messages)
    with pytest.raises(ModelError, match=f"under 'ema'; it has them under .*{second}"):
        make(tmp_path / "x.pt", tmp_path / "r", prefix="ema")


def test_two_copies_of_the_same_numbers_are_no_question(network, tmp_path):
    torch.save({"model": sd(network), "best": sd(network)}, tmp_path / "x.pt")
    messages = []
    agree(make(tmp_path / "x.pt", tmp_path / "p", messages), network)
    assert messages == []


@pytest.mark.parametrize(
    ("held", "says"),
    [
        (
            lambda n: before("model.", n) | {"model.decoder.extra": torch.ones(1)},
            "extra, which the network lacks",
        ),
        (
            lambda n: {
                k: v for k, v in before("model.", n).items() if "head.0.bias" not in k
            },
            r"under 'model': missing .* are 1 of .*head.0.bias \(missing\)",
        ),
        (lambda _: {"state_dict": {"a": torch.ones(1)}}, "none of its .* tensors"),
        (lambda _: {"epoch": 3}, "no state dict"),
    ],
)
def test_what_is_of_another_network_is_refused(network, tmp_path, held, says):
    torch.save(held(network), tmp_path / "x.pt")
    with pytest.raises(ModelError, match=says):
        make(tmp_path / "x.pt", tmp_path / "p")
    assert not (tmp_path / "p").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("kind", ["script", "whole", "whole inside"])
def test_code_is_refused_with_our_advice_and_never_torchs(network, tmp_path, kind):
    path = tmp_path / "x.pt"
    if kind == "script":
        part = nn.Sequential(nn.Conv2d(2, 3, 1)).eval()
        torch.jit.save(torch.jit.trace(part, torch.ones(1, 2, 4, 4)), path)
    else:
        torch.save(network if kind == "whole" else {"model": network}, path)
    with pytest.raises(ModelError) as refused:
        make(path, tmp_path / "p")
    assert "torch.save(model.state_dict(), 'x.pt')" in str(refused.value)
    assert "weights_only" not in str(refused.value)
