"""Months of the trial in simulated time: the real bot, scripted people, and checks on their phones."""
