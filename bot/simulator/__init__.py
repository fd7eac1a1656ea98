"""What would Telegram have done? A Bot API server in memory, for the demo, the stories and the tests."""
