"""The world behind the ports: geocoders, mailers, images; each port with its embedded default.

May import ports, the domain and the outside; never the store.
Read first: ../ports.py, then geocoders.py.
"""
