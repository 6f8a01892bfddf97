"""The view of a pumping station."""
