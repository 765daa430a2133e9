"""Grids of H3 cells: which cells are in a filter, and what rasters and tables hold in each."""
