"""The window: questions in, JSON out; never an event, never a write.

May import ocpi; reads schema `views` on read-only connections; shares its tables, not code, with projections.
Read first: plan.py, then sql.py.
"""
