"""A real NATS and a real PostgreSQL from wheels, on loopback, for the demo and the tests; they end with their parent."""
