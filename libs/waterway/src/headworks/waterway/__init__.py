"""The pure domain: quantities, time grid, curves, site model, physics, forward simulation."""
