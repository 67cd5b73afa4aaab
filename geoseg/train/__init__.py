"""Training: chips split by area, losses, and one flat loop."""
