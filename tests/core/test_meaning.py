"""What is said where a server does not accept a connection."""

from __future__ import annotations

import psycopg
import pytest

from connector.store.meaning import damaged, unavailable

BEFORE = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('FATAL:  password authentication failed for user "app"', "refuses this user or password"),
        ("fe_sendauth: no password supplied", "refuses this user or password"),
        ('FATAL:  database "crm" does not exist', "no database of this name"),
        ('FATAL:  role "app" does not exist', "does not know this user"),
        ('FATAL:  role "app" is not permitted to log in', "does not let this user in"),
        ("FATAL:  sorry, too many clients already", "no free connection"),
        ("FATAL:  remaining connection slots are reserved", "no free connection"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.8", user "app"', "neither this user nor this machine"),
        ("Connection refused\n\tIs the server running on that host?", "nothing listens"),
        ("FATAL:  the database system is starting up", "starting or stopping"),
    ],
)
def test_a_refused_connection_says_why_and_names_nothing(said: str, why: str) -> None:
    problem = unavailable(psycopg.OperationalError(BEFORE + said)).problem
    assert why in problem
    assert not any(name in problem for name in ("app", "crm", "10.0.0"))


def test_what_is_not_known_names_the_kind_of_error_alone() -> None:
    problem = unavailable(psycopg.OperationalError(f"{BEFORE}something else")).problem
    assert problem == "cannot be used now: OperationalError"


def test_damage_is_said_once() -> None:
    met = damaged("a page is damaged")
    assert damaged(met) == met
    assert met.count("is damaged:") == 1
