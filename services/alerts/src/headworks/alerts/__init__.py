"""Alarms with deadband and life cycle; e-mail and browser channels."""
