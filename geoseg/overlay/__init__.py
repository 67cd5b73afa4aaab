"""What people draw, on a scene's pixels: areas of interest, labels, references."""
