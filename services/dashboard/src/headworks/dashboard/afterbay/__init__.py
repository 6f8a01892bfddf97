"""The view of an afterbay."""
