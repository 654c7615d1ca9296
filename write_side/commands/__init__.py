"""Wishes: what a client may ask for, and how each is prepared, decided and handed to the store.

No I/O of its own: everything of the world comes through `ports`. Read `dispatch.py` first, then `locations.py`.
"""
