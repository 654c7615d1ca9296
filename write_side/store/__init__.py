"""The only place that writes events: many streams at once, all or nothing, at positions without holes.

May import the inner rooms of the write side and asyncpg; owns schema `es`.
Read first: event_store.py, then writer.py.
"""
