"""Publishers in shadow: their plans are kept apart from those in force, replayed on what really happened, and scored."""
