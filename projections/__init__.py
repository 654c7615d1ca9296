"""The drawing room: the only room that knows both events and view tables.

May import `write_side.events` and `ocpi`; reads the log only through a function that `api` hands in.
Read `projector.py` first, then `locations.py`, then `consumer.py`.
"""
