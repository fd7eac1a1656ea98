"""The rules of the trial as pure functions: data in, decision out, with dates and times given."""
