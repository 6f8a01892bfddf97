"""What a plan from outside would lead to, simulated before it is accepted: a file for each kind of site."""
