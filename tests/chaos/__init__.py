"""When the ground moves: connections, clocks, databases, disks and processes fail under traffic.

Each case starts the product as processes against both sandboxes, sends signed events as careCycle does, breaks
something, repairs it, and then compares what both CRMs hold with what was acknowledged (`compare.py`). `pytest
tests/chaos` ends with a table: a line for each case. All of it is marked slow: `make test-all` runs it.

    world.py      the product's roles, a proxy before each CRM, and waiting for the end
    traffic.py    a sender that repeats what was not acknowledged, and knows what was
    compare.py    the CRMs against the acknowledged events: lost, twice, stale, strange, opt-outs missing
    proxy.py      mute, cut, delay, refuse, drip: each connection or all
    postgres.py   a PostgreSQL server of the case's own: killed, frozen, read-only, an older copy of itself
    pgbouncer.py  PgBouncer before it
    faketime.py   a process whose clock is off, and moves
    disks.py      a small disk that is full or read-only

A case takes the fixture `case`; it ends every process and removes every folder, whatever happened. Cases wait for
conditions with deadlines, and never for a time.
"""
