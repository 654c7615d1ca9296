"""The heart: wishes come in, are decided by pure functions, and are written down as facts.

May import ocpi. Outside in: store, adapters and accounts, then commands, ports, domain, events; never the reverse.
Projections enter by one door, the events.
Read first: domain/location.py, then commands/dispatch.py.
"""
