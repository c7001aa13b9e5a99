"""careCycle's sandbox in a browser: its customers, and every request with its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from connector.sandbox.carecycle import KEY, CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.sandbox.carecycle.desk import CareCycleDesk
from connector.sandbox.page.views import open_page


@pytest.fixture
def address() -> Iterator[str]:
    sandbox = CareCycleSandbox(Book(3))
    open_page(CareCycleDesk(sandbox), "", {})
    with sandbox as url:
        yield url


def test_its_customers_can_be_looked_at_and_changed_and_the_api_says_so(address: str) -> None:
    web = requests.Session()
    page = web.get(f"{address}/records/customers", timeout=60).text
    (own, *_) = re.findall(r"/records/customers/([0-9a-f-]{36})", page)
    token = re.findall(r'name="token" value="([^"]+)"', web.get(f"{address}/", timeout=60).text)[0]
    form = {"token": token, "field": "city", "value": "Elsewhere"}
    done = web.post(f"{address}/records/customers/{own}/edit", data=form, headers={"Origin": address}, timeout=60)
    assert done.status_code == 200
    api = requests.get(f"{address}/v2/customers/{own}", headers={"x-api-key": KEY}, timeout=60)
    assert api.json()["city"] == "Elsewhere"
    assert f"/v2/customers/{own}" in web.get(f"{address}/records/requests", timeout=60).text
    assert KEY not in web.get(f"{address}/records/requests/1", timeout=60).text


def test_it_can_be_broken(address: str) -> None:
    web = requests.Session()
    token = re.findall(r'name="token" value="([^"]+)"', web.get(f"{address}/", timeout=60).text)[0]
    form = {"token": token, "trouble": "key", "times": "1"}
    assert web.post(f"{address}/break", data=form, headers={"Origin": address}, timeout=60).status_code == 200
    assert requests.get(f"{address}/v2/customers", headers={"x-api-key": KEY}, timeout=60).status_code == 401
