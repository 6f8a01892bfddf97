"""The ways out to people. A channel's `send` gives Delivered or NotDelivered; it never raises for what the network does."""
