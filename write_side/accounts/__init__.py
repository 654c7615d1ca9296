"""Secrets and sessions: passwords, tokens, who is logged in. Hashes only; never in an event.

May import `commands`, `ports`, `domain`, `events` and `ocpi`. Read `login.py` first.
"""
