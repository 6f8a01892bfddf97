"""Builds, solves, replays and explains schedules."""
