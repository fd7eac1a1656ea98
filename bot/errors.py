"""What can go wrong in the trial's terms: the one error tree."""


class FollowupError(Exception):
    """Something the bot was asked to do cannot be done; the subclass says what."""
