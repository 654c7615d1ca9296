"""The shelf: OCPI's words, its codes and identifiers, pure and shared by every room.

May import the standard library only; everybody may read it.
A new code value is a change of codes.py and of nothing else.
Read first: codes.py.
"""
