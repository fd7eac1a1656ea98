"""How does a message reach a person, and what became of it?"""
