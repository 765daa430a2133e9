"""The demo's source files: real ones, and four tiles cut from a real Landsat scene.

The tiles are windows of the scene, pixel for pixel, so that the collection is a real one and the mosaic is the scene.
"""

from __future__ import annotations

from pathlib import Path

import rasterio
from rasterio.windows import Window

DATA = Path(__file__).resolve().parent / "data"
COUNTRIES = DATA / "naturalearth_lowres.shp"
SCENE = DATA / "L7_ETMs.tif"


def cut_tiles(folder: Path) -> list[Path]:
    """Cut the scene into its four quarters, below `folder`; tiles that are there are left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    tiles = []
    with rasterio.open(SCENE) as scene:
        half_width, half_height = scene.width // 2, scene.height // 2
        quarters = {
            "north_west": Window(0, 0, half_width, half_height),
            "north_east": Window(half_width, 0, scene.width - half_width, half_height),
            "south_west": Window(0, half_height, half_width, scene.height - half_height),
            "south_east": Window(half_width, half_height, scene.width - half_width, scene.height - half_height),
        }
        for name, window in quarters.items():
            tile = folder / f"olinda_{name}.tif"
            tiles.append(tile)
            if tile.exists():
                continue
            profile = scene.profile | {
                "width": window.width,
                "height": window.height,
                "transform": scene.window_transform(window),
                "driver": "GTiff",
            }
            profile.pop("blockxsize", None)
            profile.pop("blockysize", None)
            unfinished = tile.with_suffix(".unfinished")
            with rasterio.open(unfinished, "w", **profile) as out:
                out.write(scene.read(window=window))
            unfinished.rename(tile)
    return tiles
