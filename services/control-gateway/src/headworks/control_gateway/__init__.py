"""Due setpoint, safety decision, write, verify, journal."""
