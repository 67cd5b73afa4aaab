"""Small random networks and packages of them; what tests of models share."""

from __future__ import annotations

from datetime import UTC, datetime

import torch

from geoseg.geo.legend import LandClass, Legend
from geoseg.models.find import load_package
from geoseg.models.networks.network import build_network, save_package, tile_stride
from geoseg.models.package.card import Card, InputBand, Training

SMALL = {"decoder_channels": [16, 12, 8, 8, 4]}
"""Decoders are made small where smp lets them be."""
SHALLOW = {"encoder_depth": 3, "decoder_channels": [12, 8, 8]}
"""A U-Net with a stride of 8."""
NARROW = {"encoder_depth": 3, "decoder_channels": [8, 8, 4]}
"""The same with fewer channels."""
DARK_LIGHT = Legend((LandClass(2, "dark", "#224422"), LandClass(5, "light", "#ddddbb")))


def build(name, encoder, settings=None, *, bands=4, classes=2, seed=0):
    """Make an untrained network."""
    torch.manual_seed(seed)
    config = {"_model_class": name, "encoder_name": encoder}
    config |= {"in_channels": bands, "classes": classes, **(settings or {})}
    return build_network(config)


def save(path, network, *, bands, legend=DARK_LIGHT, tile=64, **changes):
    """Write a package of a network and open it; a band may be no more than a name."""
    bands = [
        InputBand(band, band, 0.1, 0.1) if isinstance(band, str) else band
        for band in bands
    ]
    card = Card(
        **{
            "name": path.name,
            "version": "1",
            "description": "A test.",
            "architecture": type(network).__name__,
            "parameters": sum(tensor.numel() for tensor in network.parameters()),
            "pretrained_source": "none",
            "bands": tuple(bands),
            "scale": 0.0001,
            "dtype": "uint16",
            "legend": legend,
            "tile": tile,
            "overlap": 0,
            "stride": tile_stride(network),
            "gsd_m": 14.0,  # of the pixels of 10 m x 20 m that tests make
            **changes,
        }
    )
    training = Training((12.0, 52.0, 12.5, 52.5), datetime(2017, 2, 16, tzinfo=UTC))
    save_package(path, network, card, training)
    return load_package(path)
