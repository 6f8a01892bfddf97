"""The operator's page, live over server-sent events."""
