"""Layers that take one timestep or a whole sequence, decoders, and the ensemble; uses data."""
