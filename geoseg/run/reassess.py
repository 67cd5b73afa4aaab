"""A map that is done, with what somebody found out about its areas since."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.progress import OnStep, Step
from geoseg.report.report import write_report
from geoseg.run.deliver import assessment_of, draw_preview
from geoseg.run.map_item import write_map_item
from geoseg.run.page import write_page
from geoseg.storage.staging import checksums, staged

if TYPE_CHECKING:
    from geoseg.report.report import Report
    from geoseg.run.configuration import RunConfig


def reassess(config: RunConfig, report: Report, on_step: OnStep) -> Report:
    """Write page, STAC item and report of a finished map anew; the map stays.

    Args:
        config: The run, which is finished.
        report: What it left.
        on_step: Called as that begins.

    Raises:
        OutputError: A product in a store is not what the run left.
        DiskError: The disk is full, or it or the store cannot be written.

    """
    on_step(Step("page"))
    areas, output = report.class_areas, config.output
    output.fetch(report.checksums)
    with staged(output.folder) as folder:
        made = config.made_in(folder)
        for name in report.checksums:
            shutil.copyfile(output.folder / name, folder / name)
        image = draw_preview(made, areas)
        if made.options.report_size:
            write_page(made, image, areas, report.warnings, report.outside)
        write_map_item(made, areas)
        stated = replace(
            report,
            assessment=assessment_of(config, areas),
            checksums=checksums(folder),
        )
        write_report(made.products["report"], stated)
    output.publish(
        [name for name, _ in report.checksums.items() & stated.checksums.items()]
    )
    return stated
