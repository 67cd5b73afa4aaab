"""What a run would replace: nothing that it reads, and nothing that somebody made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.overlay.aoi import split_layer
from geoseg.run.configuration import product_names
from geoseg.scene import files_named
from geoseg.storage.authorship import check_not_inputs
from geoseg.storage.remote import as_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geoseg.options import SegmentOptions
    from geoseg.overlay.aoi import Area
    from geoseg.scene import Inputs
    from geoseg.storage.output import Output


def check_products(
    output: Output, inputs: Inputs, aoi_given: Area | None, options: SegmentOptions
) -> None:
    """Refuse a run whose products would replace an input, or a file of somebody's.

    Inputs are known whatever the name or link. Nothing of them is read.

    Raises:
        OutputError: Something would be lost.
        SceneError: An input is not there.

    """
    if output.url is not None:
        return
    products = [output.folder / name for name in product_names(options)]
    if any(path.exists() for path in products):
        check_not_inputs(products, _read(inputs, aoi_given, options))
    output.check_products(products, overwrite=options.overwrite)


def _read(
    inputs: Inputs, aoi_given: Area | None, options: SegmentOptions
) -> Iterable[Path]:
    """List the files that a run reads, as far as they are named."""
    yield from files_named(inputs)
    for _, file in options.scene.bands:  # FILE, or FILE:3
        yield from (Path(file), Path(file.rpartition(":")[0]))
    if isinstance(aoi_given, str | Path):
        yield split_layer(aoi_given)[0]
    named = (options.legend, options.assessment)
    yield from (Path(each) for each in named if each is not None)
    for model in (*options.models, options.mask_model):
        if model is not None and as_url(model) is None and Path(model).is_dir():
            yield from Path(model).iterdir()
