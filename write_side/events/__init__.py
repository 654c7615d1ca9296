"""The published language: every fact that can ever happen, and how it is written down.

Plain data with topics of their own. May import `ocpi` and the eventsourcing library, nothing else.
The one door by which projections enter the write side. Read `location.py` first, then `codec.py`.
"""
