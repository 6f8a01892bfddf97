"""The optimisation models, one file each: sets, data, variables, equations."""
