"""The trial played through: the real application on a set clock, with Telegram simulated."""
