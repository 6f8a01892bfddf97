"""The outside world for demo and tests over real protocols."""
