"""A file of customers reaches both CRMs while `connector run` runs, and nothing that careCycle sent gives way to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.acceptance.product import Product
from tests.builders import a_customer

UPDATED = "2026-06-18T12:00:00.000Z"
CUSTOMERS = [str(UUID(int=number)) for number in range(1, 21)]


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path, f"sqlite:///{tmp_path}/connector.db")
    yield product
    product.close()


def backfill(product: Product, *rows: str) -> str:
    """Run the command over these rows; what it prints."""
    file = product.folder / "customers.csv"
    file.write_text("\n".join(["id,updatedAt,lastName,city,doNotCall", *rows]))
    command = [sys.executable, "-m", "connector", "backfill", "-c", str(product.agency), "--from", str(file)]
    return subprocess.run(command, env=product.environment, capture_output=True, check=True, text=True).stdout


@pytest.mark.slow
class TestBackfill:
    def test_everybody_is_in_both_crms_and_no_opt_out_is_lowered(self, product: Product) -> None:
        product.start()
        product.ready()
        assert product.post(a_customer(id=CUSTOMERS[0], updatedAt=UPDATED, city="Tempe", doNotCall=True)) == 204
        product.until(lambda: product.landed()[::2] == (1, 1))
        rows = [f"{customer},{UPDATED},Quill,Mesa,no" for customer in CUSTOMERS]
        assert "20 put in the inbox" in backfill(product, *rows)
        product.until(lambda: product.landed()[::2] == (20, 20) and product.waiting() == 0)
        [known] = [each for each in product.hubspot.records("contacts") if each["carecycle_id"] == CUSTOMERS[0]]
        assert (known["city"], known["do_not_call"]) == ("Tempe", "true")
        cities = {each["MailingCity"] for each in product.salesforce.records("Contact")}
        assert cities == {"Tempe", "Mesa"}
        writes = len(product.salesforce.writes())
        assert "0 put in the inbox, 20 were there already" in backfill(product, *rows)
        product.until(lambda: product.waiting() == 0)
        assert len(product.salesforce.writes()) == writes
