"""What a small model package says of itself."""

from __future__ import annotations

from datetime import UTC, datetime

from geoseg.geo.legend import LandClass, Legend
from geoseg.models.package.card import Card, InputBand, Training

LEGEND = Legend(
    (
        LandClass(0, "land", "#885522"),
        LandClass(3, "sea", "#0011ff"),
        LandClass(7, "ice", "#eeeeff"),
    )
)


CARD = Card(
    name="tiny",
    version="3",
    description="A test.",
    architecture="U-Net",
    parameters=5,
    pretrained_source="ImageNet",
    bands=(
        InputBand("B04", "red", 0.25, 0.125),
        InputBand("B8A", "nir08", 0.5, 0.25),
    ),
    scale=0.0001,
    dtype="uint16",
    legend=LEGEND,
    tile=64,
    overlap=32,
    stride=32,
    gsd_m=10.0,
)


TRAINING = Training((12.0, 52.0, 12.5, 52.5), datetime(2017, 2, 16, tzinfo=UTC))
