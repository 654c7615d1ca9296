"""The demo data, and the client that loads them.

`generator.py` makes five CPOs and 300 Philippine locations out of a seed, purely; `loader.py` brings them in through
the public API, as a CPO's own client would. Nothing here touches a database. Read `generator.py` first.
"""
