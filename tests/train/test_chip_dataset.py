"""Chips as torch sees them: rasterio says what is in them, a plain loop trains."""

from __future__ import annotations

import pickle

import geopandas
import numpy as np
import pytest
import rasterio
import segmentation_models_pytorch as smp
import torch
from affine import Affine
from click.testing import CliRunner
from safetensors.torch import save_file
from shapely import box
from torch.utils.data import DataLoader

import geoseg
from geoseg.cli import main
from geoseg.errors import LabelsError

PLANE = Affine(10, 0, 399_960, 0, -10, 5_800_020)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Write 96 x 160 pixels: dark in the west, light in the east, a hole between."""
    rng = np.random.default_rng(3)
    values = rng.integers(1, 900, (3, 96, 160), np.uint16)
    values[:, :, 80:] += 2000
    values[:, 20:50, 70:90] = 0
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=96,
        width=160,
        count=3,
        dtype="uint16",
        nodata=0,
        crs="EPSG:32633",
        transform=PLANE,
    ) as dataset:
        dataset.write(values)
        dataset.descriptions = ("B02", "B03", "B04")
    return path


@pytest.fixture(scope="module")
def chips(scene, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chips")
    halves = [box(0, 10, 78, 96), box(81, 0, 160, 90)]
    matrix = (PLANE.a, PLANE.b, PLANE.d, PLANE.e, PLANE.c, PLANE.f)
    geometry = geopandas.GeoSeries(halves).affine_transform(matrix)
    labels = geopandas.GeoDataFrame(
        {"class": ["water", "sand"]}, geometry=geometry, crs=32633
    )
    labels.to_file(folder / "labels.gpkg")
    geoseg.tile(
        [scene],
        folder / "out",
        labels=folder / "labels.gpkg",
        options=geoseg.TileOptions(block=32, gap=0, chip=32),
    )
    return folder / "out"


def test_samples_are_the_files_with_means_where_there_is_no_data(chips):
    dataset = geoseg.ChipDataset(chips)
    table = geopandas.read_parquet(chips / "chips.parquet")
    assert len(dataset) == len(table) > 5
    holes = 0
    for (_, row), sample in zip(table.iterrows(), dataset, strict=True):
        with rasterio.open(chips / row["image"]) as image:
            pixels, valid = image.read(), image.dataset_mask() > 0
        with rasterio.open(chips / row["mask"]) as mask:
            ids = mask.read(1)
        assert sample["image"].dtype == torch.float32
        assert sample["mask"].dtype == torch.int64
        assert np.array_equal(sample["image"].numpy()[:, valid], pixels[:, valid])
        for band, mean in zip(sample["image"].numpy(), dataset.mean, strict=True):
            assert np.array_equal(
                band[~valid], np.full((~valid).sum(), mean, np.float32)
            )
        holes += (~valid).sum()
        known = {each.id: each.name for each in dataset.legend}
        for channel, name in enumerate(dataset.classes):
            wanted = np.isin(ids, [i for i, n in known.items() if n == name])
            assert np.array_equal(sample["mask"] == channel, wanted)
        assert np.array_equal(sample["mask"] == 255, ids == 255)
    assert holes
    assert dataset.bands == ("B02", "B03", "B04")
    assert "classes: " in repr(dataset)


def test_parts_of_the_split_are_those_of_the_table_and_workers_can_have_them(chips):
    table = geopandas.read_parquet(chips / "chips.parquet")
    for part in ("train", "test"):
        dataset = pickle.loads(  # noqa: S301  # our own, as a DataLoader sends it
            pickle.dumps(geoseg.ChipDataset(chips, part))
        )
        assert len(dataset) == (table["split"] == part).sum() > 0
    with pytest.raises(LabelsError, match="no chip of the part 'validate'"):
        geoseg.ChipDataset(chips, "validate")


def test_transforms_see_each_sample(chips):
    def flip(sample):
        return {name: each.flip(-1) for name, each in sample.items()}

    plain, flipped = geoseg.ChipDataset(chips), geoseg.ChipDataset(chips, None, flip)
    assert torch.equal(plain[0]["image"], flipped[0]["image"].flip(-1))


def test_a_folder_that_is_none_of_chips_is_refused(tmp_path, chips):
    with pytest.raises(LabelsError, match="no folder of chips"):
        geoseg.ChipDataset(tmp_path)
    table = geopandas.read_parquet(chips / "chips.parquet")
    (tmp_path / "chips.json").write_bytes((chips / "chips.json").read_bytes())
    table.assign(id="../elsewhere").to_parquet(tmp_path / "chips.parquet")
    with pytest.raises(LabelsError, match="names chips elsewhere"):
        geoseg.ChipDataset(tmp_path)
    table.to_parquet(tmp_path / "chips.parquet")
    with pytest.raises(LabelsError, match="cut the chips again"):
        geoseg.ChipDataset(tmp_path)[0]


def test_a_plain_loop_of_torch_trains_and_comes_back_as_a_package(
    scene, chips, tmp_path
):
    torch.manual_seed(0)
    dataset = geoseg.ChipDataset(chips, "train")
    encoder = "tu-tf_efficientnet_lite0"
    network = smp.Unet(encoder, encoder_weights=None, in_channels=3, classes=2)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    measure = torch.nn.CrossEntropyLoss(ignore_index=255)
    mean, std = (
        torch.tensor(each, dtype=torch.float32)[:, None, None]
        for each in (dataset.mean, dataset.std)
    )
    before = [each.clone() for each in network.parameters()]
    batches = iter(DataLoader(dataset, batch_size=4))
    for _ in range(2):
        batch = next(batches)
        loss = measure(network((batch["image"] - mean) / std), batch["mask"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
    assert any(
        not torch.equal(old, new)
        for old, new in zip(before, network.parameters(), strict=True)
    )
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    flags = [
        f"--bands={','.join(dataset.bands)}",
        *(f"--class={each.name}:{each.id}" for each in dataset.legend),
        f"--mean={','.join(map(repr, dataset.mean.tolist()))}",
        f"--std={','.join(map(repr, dataset.std.tolist()))}",
        "--gsd=10",
        "--architecture=Unet",
        f"--encoder={encoder}",
        "--tile=32",
    ]
    made = CliRunner().invoke(
        main,
        [
            "models",
            "package",
            str(tmp_path / "weights.safetensors"),
            "-o",
            str(tmp_path / "mine"),
            *flags,
        ],
    )
    assert made.exit_code == 0, made.output
    model = geoseg.Model(tmp_path / "mine")
    assert model.classes == dataset.classes
    image = geoseg.open_scene(scene).to_xarray()
    found = model.predict(
        image, options=geoseg.SegmentOptions(device="cpu", precision="float32")
    )
    assert set(np.unique(found["class"])) <= {*dataset.legend.ids, 255}
    assert np.array_equal(found["class"] == 255, np.isnan(image).any("band"))
