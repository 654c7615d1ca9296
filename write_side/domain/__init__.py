"""Pure decisions and states: no I/O, no clock, no chance, no logging. May import `events` and `ocpi`.

Read `location.py` first, then `evse.py`; `errors.py` has every refusal of the contract.
"""
