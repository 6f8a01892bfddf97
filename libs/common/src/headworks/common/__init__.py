"""What Headworks services share: messages, bus, clock, database, auth, service runner, telemetry."""
