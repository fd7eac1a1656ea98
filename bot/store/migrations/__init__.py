"""How does the database get from one version of the bot to the next?"""
