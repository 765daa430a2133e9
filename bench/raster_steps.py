"""One step with one raster, in a process of its own, so that its memory is its own: `python -m bench.raster_steps STEP SOURCE TARGET`.

Prints the seconds of the step alone, on the clock and of the processor, without the start of the interpreter, and the process's
highest memory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import rasterio
import rasterio.shutil
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

from codegen.messages.raster_report import RasterReport
from codegen.messages.request import RasterOptions
from workers import cog, pixels, raster_profile, raster_report, raster_source


def main(step: str, source: Path, target: Path) -> tuple[float, float]:
    """Run the step; how long it took, and how much of the processor."""
    report_file = source.with_suffix(".report.json")
    options = RasterOptions()
    if step in ("convert", "prove"):
        report = RasterReport.model_validate_json(report_file.read_text())
        profile = raster_profile.choose(report, options)
    started, cpu = time.perf_counter(), time.process_time()
    if step == "driver":
        # What geomill chooses, by the driver alone.
        predictor = {} if "palette" in source.name else {"predictor": "YES"}
        resampling = "MODE" if "palette" in source.name else "AVERAGE"
        settings = {"compress": "DEFLATE", "blocksize": 512, "num_threads": "ALL_CPUS", "overviews": "IGNORE_EXISTING", **predictor}
        with rasterio.Env(GDAL_CACHEMAX=raster_source.CACHE_BYTES), rasterio.open(source) as dataset:
            rasterio.shutil.copy(dataset, target, driver="COG", overview_resampling=resampling, bigtiff="IF_SAFER", **settings)
    elif step == "rio-cogeo":
        cog_translate(source, target, cog_profiles["deflate"], in_memory=False, quiet=True)
    else:
        with raster_source.opened(target if step == "statistics" else source, source.name) as raster:
            if step == "examine":
                report_file.write_text(raster_report.examine(raster, options, None, lambda: None).model_dump_json())
            elif step == "convert":
                cog.write(raster, report, options, profile, target)
            elif step == "prove":
                cog.verify(raster, report, options, profile, target, lambda: None)
            else:
                made = raster.dataset
                statistics = [pixels.Statistics(dtype) for dtype in made.dtypes]
                validity = pixels.Validity(made, made.nodata)
                for window in pixels.windows(made):
                    data = made.read(window=window)
                    for band, mask, found in zip(data, validity.of(window, data), statistics, strict=True):
                        found.add(band, mask)
    return time.perf_counter() - started, time.process_time() - cpu


if __name__ == "__main__":
    seconds, cpu = main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    # Not what wait4 says: that counts the process which this one was made from.
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak / 1000}))
