"""The door: understands what comes in, asks the rooms, answers; and puts the services together.

May import every room; nobody imports it. It holds no SQL.
compose.py is the only place with a clock, chance and connections; settings.py the only one that reads the environment.
Read first: routes.py, then compose.py.
"""
