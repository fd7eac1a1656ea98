"""What can happen in the trial, a file a thing that happens."""
