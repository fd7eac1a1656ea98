"""What the bot must not lose: tables, transactions, queries."""
