"""Every role and the demo, with nothing of what the image leaves out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from connector.web.passwords import hash_password
from tests.acceptance.product import Product
from tests.builders import a_call, a_customer
from tests.test_supply import UNUSED

ASKED_FOR = {"anyio", "attr"}  # by granian and rich, which look whether they are there and do without
REFUSE = """\
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            with open({asked!r}, "a") as asked:
                asked.write(name + "\\n")
            raise ModuleNotFoundError(name + " is not in the image", name=name)

sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture
def refusing(tmp_path: Path) -> Path:
    """A folder whose sitecustomize refuses to import what the image has not, and notes what was asked for."""
    left_out = {
        module
        for module, names in packages_distributions().items()
        if {name.lower().replace("_", "-") for name in names} & set(UNUSED)
    }
    assert left_out > {"attr", "httpx", "lxml", "zeep"}  # installed here, so that refusing them means something
    folder = tmp_path / "refusing"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(REFUSE.format(names=left_out, asked=str(folder / "asked")))
    return folder


@pytest.fixture
def product(tmp_path: Path, refusing: Path) -> Iterator[Product]:
    product = Product(tmp_path, f"sqlite:///{tmp_path}/connector.db")
    product.environment |= {"PYTHONPATH": str(refusing), "CONNECTOR_CONSOLE_PASSWORD_HASH": hash_password("a" * 14)}
    yield product
    product.close()


def asked(refusing: Path) -> set[str]:
    notes = refusing / "asked"
    return set(notes.read_text().split()) if notes.exists() else set()


class TestLeftOut:
    @pytest.mark.slow
    def test_all_roles_in_one_deliver_to_both_crms_without_it(self, product: Product, refusing: Path) -> None:
        product.start()
        product.ready()
        customer = a_customer(id="c-1", email="p1@example.com")
        assert product.post(a_call(customer, id="call-1")) == 204
        product.until(lambda: product.landed() == (1, 1, 1, 1))
        assert product.get("/console/login") == 200
        assert product.stop() == 0
        assert asked(refusing) <= ASKED_FOR

    @pytest.mark.slow
    @pytest.mark.parametrize("role", ["receive", "work", "console"])
    def test_each_role_alone_starts_without_it(self, product: Product, refusing: Path, role: str) -> None:
        product.start(role)
        product.ready()
        assert product.stop() == 0
        assert asked(refusing) <= ASKED_FOR

    @pytest.mark.slow
    @pytest.mark.parametrize("command", [["check", "--live"], ["doctor"], ["provision"], ["trial", "--yes"]])
    def test_commands_import_none_of_it(self, product: Product, refusing: Path, command: list[str]) -> None:
        whole = [sys.executable, "-m", "connector", *command, "-c", str(product.agency)]
        done = subprocess.run(whole, env=product.environment, capture_output=True, text=True, check=False, timeout=300)
        assert "Traceback" not in done.stderr
        assert "is not in the image" not in done.stdout + done.stderr
        assert asked(refusing) <= ASKED_FOR
