"""A function for each row of the contract: parse, dispatch or ask, envelope.

Knows HTTP and the commands, never SQL.
Read first: webhooks.py.
"""
