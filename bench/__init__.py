"""What `make bench` runs: every figure is a ratio to a floor or a peer measured in the same minutes, on the same server."""
