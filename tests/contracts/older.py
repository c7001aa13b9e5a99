"""An older copy of a database, put in its place: what a failover or a restore by hand does."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import psycopg


def keep(address: str, ending: str = "_older") -> str:
    """Copy the database as it is now; return the name of the copy."""
    if address.startswith("sqlite"):
        file = _file(address)
        copy = file.with_name(f"{ending[1:]}.db")
        source, made = sqlite3.connect(file), sqlite3.connect(copy)
        source.backup(made)
        source.close()
        made.close()
        return str(copy)
    name = _name(address)
    with psycopg.connect(_admin(address), autocommit=True) as admin:
        _end_others(admin, name)
        admin.execute(f"DROP DATABASE IF EXISTS {name}{ending}")
        admin.execute(f"CREATE DATABASE {name}{ending} TEMPLATE {name}")
    return f"{name}{ending}"


def put_back(address: str, copy: str) -> None:
    """Put the copy in the place of the database, whoever is connected."""
    if address.startswith("sqlite"):
        file = _file(address)
        for end in ("-wal", "-shm"):
            file.with_name(file.name + end).unlink(missing_ok=True)
        fresh = file.with_name("fresh.db")
        shutil.copy(copy, fresh)
        os.replace(fresh, file)
        return
    name = _name(address)
    with psycopg.connect(_admin(address), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        _end_others(admin, name)
        admin.execute(f"DROP DATABASE {name}")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {copy}")


def drop(address: str) -> None:
    """Remove the copies, and what is left of the connections that were cut."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    if not address.startswith("sqlite"):
        with psycopg.connect(_admin(address), autocommit=True) as admin:
            for ending in ("_older", "_changed"):
                admin.execute(f"DROP DATABASE IF EXISTS {_name(address)}{ending} WITH (FORCE)")


def _file(address: str) -> Path:
    return Path(address.removeprefix("sqlite:///"))


def _name(address: str) -> str:
    return urlsplit(address).path.lstrip("/")


def _admin(address: str) -> str:
    return address.replace(f"/{_name(address)}?", "/postgres?")


def _end_others(admin: psycopg.Connection, name: str) -> None:
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
