"""Layers that take one timestep or a whole sequence, losses, and the ensemble; uses data."""
