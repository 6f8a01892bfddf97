"""Versioned Strategy-B plans: submissions, history, cancel, roll back."""
