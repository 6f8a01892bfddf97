"""The afterbay: what is known becomes a case, a case becomes a schedule, and a schedule says what limits it."""
