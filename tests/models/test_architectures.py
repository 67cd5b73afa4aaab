"""Every architecture: built, trained a step, saved, loaded, segmented with."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import segmentation_models_pytorch as smp
import torch
from click.testing import CliRunner
from paths import ROOT
from tiny_models import SMALL, build, save
from torch.nn.functional import cross_entropy, interpolate, max_pool2d

from geoseg.cli import main
from geoseg.errors import ModelError
from geoseg.models.networks.architectures import ARCHITECTURES
from geoseg.models.networks.batch_norm import fold_batch_norm
from geoseg.models.networks.fcn import FCN8s, FCN16s, FCN32s
from geoseg.models.networks.network import load_network, tile_stride
from geoseg.models.networks.receptive_field import measure_field
from geoseg.predict import resolve_compute
from geoseg.predict.loaded_model import load_model

SAMPLE = ROOT / "sample_aoi" / "scene.tif"
BANDS = ("B02", "B04", "B08", "B11")
VIT = {"dynamic_img_size": True}

CASES = [
    ("FCN32s", "tu-vgg11", {}),
    ("FCN32s", "resnet18", {}),
    ("FCN16s", "resnet18", {"decoder_channels": 16}),
    ("FCN16s", "mit_b0", {}),
    ("FCN8s", "tu-mobilenetv3_small_050", {"decoder_channels": 16}),
    ("FCN8s", "efficientnet-b0", {}),
    ("Unet", "resnet18", SMALL),
    ("Unet", "mit_b0", SMALL),
    ("UnetPlusPlus", "resnet18", SMALL),
    ("UnetPlusPlus", "tu-mobilenetv3_small_050", SMALL),
    ("MAnet", "mit_b0", SMALL),
    ("MAnet", "tu-mobilenetv3_small_050", SMALL),
    ("Linknet", "resnet18", {}),
    ("Linknet", "efficientnet-b0", {}),
    ("FPN", "mit_b0", {"decoder_segmentation_channels": 32}),
    ("FPN", "tu-mobilenetv3_small_050", {"decoder_pyramid_channels": 32}),
    ("PSPNet", "resnet18", {"psp_out_channels": 32}),
    ("PSPNet", "tu-convnextv2_atto", {"psp_out_channels": 32}),
    ("DeepLabV3", "resnet18", {"decoder_channels": 16}),
    ("DeepLabV3", "tu-mobilenetv3_small_050", {"encoder_output_stride": 16}),
    ("DeepLabV3Plus", "efficientnet-b0", {"decoder_channels": 16}),
    ("DeepLabV3Plus", "tu-mobilenetv3_small_050", {"encoder_output_stride": 8}),
    ("PAN", "resnet18", {}),
    ("PAN", "tu-mobilenetv3_small_050", {}),
    ("UPerNet", "mit_b0", {"decoder_channels": 32}),
    ("UPerNet", "tu-convnextv2_atto", {"decoder_channels": 32}),
    ("Segformer", "mit_b0", {"decoder_segmentation_channels": 32}),
    ("Segformer", "resnet18", {"decoder_segmentation_channels": 32}),
    (
        "DPT",
        "tu-vit_tiny_patch16_224",
        {**VIT, "decoder_intermediate_channels": [8] * 4, "decoder_fusion_channels": 8},
    ),
    (
        "DPT",
        "tu-deit3_small_patch16_224",
        {
            "img_size": 64,
            "encoder_depth": 3,
            "decoder_readout": "ignore",
            "decoder_intermediate_channels": [8] * 3,
            "decoder_fusion_channels": 8,
        },
    ),
]


@pytest.fixture(scope="module")
def sample():
    """Give two chips of the sample, and which of their pixels are light in B08."""
    with rasterio.open(SAMPLE) as dataset:
        indices = [dataset.descriptions.index(name) + 1 for name in BANDS]
        window = rasterio.windows.Window(300, 200, 256, 128)
        pixels = dataset.read(indices, window=window).astype(np.float32)
    chips = torch.from_numpy(pixels * 0.0001).unfold(2, 128, 128).permute(2, 0, 1, 3)
    return (chips - 0.1) / 0.1, (chips[:, 2] > chips[:, 2].median()).long()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Give a scene of little more than a tile."""
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    with rasterio.open(SAMPLE) as dataset:
        window = rasterio.windows.Window(320, 210, 60, 50)
        profile = {**dataset.profile, "height": 50, "width": 60}
        with rasterio.open(path, "w", **profile) as copy:
            copy.write(dataset.read(window=window))
            copy.descriptions = dataset.descriptions
    return path


def test_the_cases_are_all_architectures_with_two_encoders_each():
    for name in ARCHITECTURES:
        assert len({encoder for other, encoder, _ in CASES if other == name}) == 2


@pytest.mark.parametrize(
    ("name", "encoder", "settings"), CASES, ids=lambda value: str(value)[:24]
)
def test_an_architecture_is_built_trained_saved_loaded_and_segmented_with(
    name, encoder, settings, sample, scene, tmp_path
):
    network = build(name, encoder, settings)
    tile = max(64, ARCHITECTURES[name].smallest_tile)
    chips, light = (values[..., :tile, :tile] for values in sample)
    optimiser = torch.optim.SGD(network.parameters(), 0.01)
    scores = network.train()(chips)
    assert scores.shape == (2, 2, tile, tile)
    loss = cross_entropy(scores, light)
    loss.backward()
    optimiser.step()
    still = {n.split(".")[0] for n, p in network.named_parameters() if p.grad is None}
    assert still <= {"encoder"}  # whose last stages not every decoder looks at
    with torch.inference_mode():
        expected = network.eval()(chips)

    package = save(tmp_path / "model", network, bands=BANDS, tile=tile, gsd_m=10.0)
    loaded = load_network(package)
    fold_batch_norm(loaded)
    with torch.inference_mode():
        found = loaded(chips)
    # The stored weights are float16: 11 bits.
    assert (found - expected).abs().mean() < 0.02 * expected.std() + 0.002

    how = resolve_compute("cpu", "bfloat16")
    rough = load_model(package, how)
    with torch.inference_mode():
        scores = rough(chips.bfloat16())
    assert scores.dtype == torch.float32
    assert (scores != scores.bfloat16()).float().mean() > 0.5, "rounded, then widened"

    output = tmp_path / "out"
    arguments = ["segment", scene, "--model", tmp_path / "model", "-o", output]
    arguments += ["--precision", "bfloat16", "--quiet"]
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    with rasterio.open(output / "landcover.tif") as dataset:
        assert set(np.unique(dataset.read(1))) <= {2, 5}
        assert dataset.shape == (50, 60)


@pytest.mark.parametrize(
    ("name", "encoder", "settings", "stride"),
    [
        ("Unet", "resnet18", {}, 32),
        ("Unet", "resnet18", {"encoder_depth": 3, "decoder_channels": [16, 8, 8]}, 8),
        ("FCN8s", "resnet18", {}, 32),
        ("PSPNet", "resnet18", {}, 8),
        ("DeepLabV3", "resnet18", {}, 8),
        ("DeepLabV3Plus", "resnet18", {}, 16),
        ("PAN", "resnet18", {}, 16),
        ("PAN", "resnet18", {"encoder_output_stride": 32}, 32),
        ("DPT", "tu-vit_tiny_patch16_224", VIT, 32),
        (
            "DPT",
            "tu-vit_tiny_patch16_224",
            {
                **VIT,
                "encoder_depth": 3,
                "decoder_intermediate_channels": [8, 8, 8],
            },
            16,
        ),
    ],
)
def test_a_stride_moves_what_the_network_gives_by_whole_tiles_of_features(
    name, encoder, settings, stride
):
    network = build(name, encoder, settings)
    assert tile_stride(network) == stride
    side = 8 * stride
    for sides in ((side, side), (side + stride, side)):
        with torch.inference_mode():
            assert network.eval()(torch.zeros(1, 4, *sides)).shape == (1, 2, *sides)


@pytest.fixture(params=ARCHITECTURES)
def example(request):
    """Give an architecture's line of the table, and the network that it describes."""
    each = ARCHITECTURES[request.param]
    # Shapes are all that is looked at; but MiT cannot be made of shapes alone.
    device = "cpu" if each.example.startswith("mit") else "meta"
    with torch.device(device):
        return each, device, build(each.name, each.example, dict(each.example_settings))


def test_the_smallest_tile_and_batch_are_what_the_table_says(example):
    each, device, network = example
    assert each.smallest_tile % tile_stride(network) == 0
    sides = each.smallest_tile, each.smallest_tile
    tiles = torch.zeros(2, 4, *sides, device=device)
    with torch.inference_mode():
        assert network.eval()(tiles[:1]).shape == (1, 2, *sides)
    network.train()
    tiles = torch.zeros(2, 4, 128, 128, device=device)
    assert network(tiles[: each.smallest_batch]).shape == (
        each.smallest_batch,
        2,
        128,
        128,
    )
    if each.smallest_batch > 1:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            network(tiles[:1])


def test_the_table_names_the_tensor_that_counts_classes(example):
    each, _, network = example
    assert network.state_dict()[each.classifier].shape[0] == 2


def test_an_fcn_begins_as_its_coarsest_scores_bilinearly_enlarged():
    pixels = torch.randn(1, 4, 96, 160)
    for make in (FCN32s, FCN16s, FCN8s):
        torch.manual_seed(0)
        network = make("resnet18", encoder_weights=None, in_channels=4, classes=3)
        with torch.inference_mode():
            found = network.eval()(pixels)
            coarse = network.encoder(pixels)[-1]
            scores = network.segmentation_head.scores[0](coarse)
        for factor in [
            enlarge.stride[0] for enlarge in network.segmentation_head.enlarge
        ]:
            scores = interpolate(scores, scale_factor=factor, mode="bilinear")
        # Beyond the rim, bilinear interpolation repeats and the convolution has zeros.
        torch.testing.assert_close(
            found[..., 32:-32, 32:-32],
            scores[..., 32:-32, 32:-32],
            rtol=1e-4,
            atol=1e-5,
        )


def test_an_fcn_adds_the_scores_of_finer_features():
    network = FCN8s("tu-vgg11", encoder_weights=None, in_channels=3, classes=2).eval()
    head = network.segmentation_head
    torch.nn.init.normal_(head.scores[1].weight)
    torch.nn.init.normal_(head.scores[2].weight)
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        features = network.encoder(pixels)
        # smp gives what comes before VGG's poolings: pool3 and pool4 are pooled here.
        pool3, pool4 = max_pool2d(features[2], 2), max_pool2d(features[3], 2)
        assert (pool3.shape[-1], pool4.shape[-1]) == (8, 4)
        scores = head.scores[0](features[5])
        scores = head.enlarge[0](scores) + head.scores[1](pool4)
        scores = head.enlarge[1](scores) + head.scores[2](pool3)
        torch.testing.assert_close(network(pixels), head.enlarge[2](scores))


def test_an_fcn_over_vgg16_can_have_the_papers_fully_connected_layers():
    with torch.device("meta"):
        network = FCN32s(encoder_weights=None, decoder_channels=4096, classes=21)
    sides = [
        tuple(layer.weight.shape)
        for layer in network.decoder.fully_connected
        if isinstance(layer, torch.nn.Conv2d)
    ]
    assert sides == [(4096, 512, 7, 7), (4096, 4096, 1, 1)]
    parameters = sum(tensor.numel() for tensor in network.parameters())
    assert parameters == 134_260_544 + 4096 * 21 + 21 + 21 * 64 * 64  # VGG-16 less fc8


def test_an_fcn_is_saved_and_loaded_as_the_networks_of_smp_are(tmp_path):
    network = FCN16s("resnet18", encoder_weights=None, in_channels=5, classes=4).eval()
    network.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["_model_class"] == "FCN16s"
    assert (config["in_channels"], config["classes"]) == (5, 4)
    loaded = FCN16s.from_pretrained(tmp_path).eval()
    pixels = torch.randn(1, 5, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(pixels), network(pixels))


def test_an_fcn_wants_features_at_a_thirty_second():
    with pytest.raises(ModelError, match="encoder_depth must be 5, got 4"):
        build("FCN8s", "resnet18", {"encoder_depth": 4})


def test_an_fcn_may_have_a_classification_head():
    network = FCN32s("resnet18", encoder_weights=None, aux_params={"classes": 7})
    scores, labels = network(torch.zeros(2, 3, 32, 32))
    assert (scores.shape, labels.shape) == ((2, 1, 32, 32), (2, 7))


@pytest.mark.parametrize(
    "setting",
    [
        {"checkpoint_path": "weights.pth"},
        {"pretrained_cfg": {"file": "weights.pth"}},
        {"encoder_name": "tu-local-dir:weights"},
        {"aux_params": {"classes": 3}},
    ],
)
def test_settings_that_would_fetch_weights_or_give_a_second_output(setting):
    with pytest.raises(ModelError, match=r"geoseg (takes|loads|builds)"):
        build("Unet", "tu-mobilenetv3_small_050", setting)


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        ("densenet121", "do not support dilated"),
        ("tu-dla34", "not take these settings"),
    ],
)
def test_an_encoder_that_does_not_fit_the_architecture(encoder, says):
    with pytest.raises(ModelError, match=f"cannot build the DeepLabV3 .*{says}"):
        build("DeepLabV3", encoder)


def test_a_package_whose_stride_is_not_the_networks_is_refused(tmp_path):
    network = build("Unet", "resnet18", SMALL)
    package = save(tmp_path / "model", network, bands=BANDS, stride=16)
    with pytest.raises(
        ModelError, match=r"stride is said to be 16, but .* multiples of 32"
    ):
        load_network(package)
    assert load_network(replace(package, stride=64))


@pytest.mark.parametrize(
    ("name", "encoder", "settings", "says"),
    [
        ("PAN", "resnet18", {}, "Calculated output size"),
        ("DPT", "tu-vit_tiny_patch16_224", {}, r"Input height \(64\) doesn't match"),
    ],
)
def test_a_tile_that_the_network_does_not_take_is_refused_before_a_run(
    name, encoder, settings, says, scene, tmp_path
):
    network = build(name, encoder, settings)
    save(tmp_path / "model", network, bands=BANDS, tile=64, gsd_m=10.0)
    output = tmp_path / "out"
    arguments = ["segment", scene, "--model", tmp_path / "model", "-o", output]
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == 2
    assert re.search(f"does not take tiles of 64 px .*{says}.* --tile", result.stderr)
    assert not output.exists()


@pytest.mark.parametrize("encoder", ["resnet18", "densenet121", "mit_b0", "tu-vgg11"])
@pytest.mark.parametrize("bands", [1, 2, 13])
def test_any_number_of_bands(encoder, bands):
    network = build("FPN", encoder, bands=bands).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, bands, 64, 64)).shape == (1, 2, 64, 64)


def test_networks_of_smp_are_the_classes_of_smp():
    missing = {
        name
        for name, kind in vars(smp).items()
        if isinstance(kind, type) and issubclass(kind, smp.base.SegmentationModel)
    } - set(ARCHITECTURES)
    assert not missing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build("Unet", "resnet18", SMALL)


def test_architectures_are_listed_over_an_encoder():
    result = CliRunner().invoke(
        main,
        ["models", "architectures", "--encoder", "mit_b0", "--bands", "7", "--json"],
    )
    assert result.exit_code == 0, result.output
    found = {each["architecture"]: each for each in json.loads(result.stdout)}
    assert list(found) == list(ARCHITECTURES)
    refused = {name for name, each in found.items() if each["refusal"]}
    assert refused == {"UnetPlusPlus", "Linknet", "DPT"}
    expected = sum(p.numel() for p in build("FPN", "mit_b0", bands=7).parameters())
    assert found["FPN"]["parameters"] == expected
    assert found["PAN"]["stride"] == 16
    assert found["PAN"]["smallest_tile"] == 128
    assert found["Segformer"]["field_is_known"], "it is its light encoder"
    assert not found["Unet"]["field_is_known"]


def test_an_encoder_that_nothing_takes_is_refused():
    result = CliRunner().invoke(
        main, ["models", "architectures", "--encoder", "nonsense"]
    )
    assert result.exit_code == 2
    assert "no architecture takes that encoder" in result.stderr
    assert result.stdout == ""


def test_a_receptive_field_is_what_the_table_says():
    each = ARCHITECTURES["Linknet"]
    network = build(each.name, each.example).eval()
    stride, tile = tile_stride(network), each.smallest_tile
    field = measure_field(network, bands=4, stride=stride, tile=tile)
    assert field.radius == each.radius
