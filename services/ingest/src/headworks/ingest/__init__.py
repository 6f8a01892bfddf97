"""Measurements, forecasts and market results, kept bitemporally."""
