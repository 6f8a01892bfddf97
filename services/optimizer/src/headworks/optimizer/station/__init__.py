"""The pumping station: what is known becomes a case, a case becomes frequencies, and a record judges them."""
