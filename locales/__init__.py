"""The texts of the bot, one catalogue a language."""
