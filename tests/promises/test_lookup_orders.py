"""A look-up with something else to take ends the same for every order in which events arrive."""

from __future__ import annotations

from typing import Any

import pytest

from connector.delivery.route import Running
from tests.promises.stage import Stage, a_person, one_contact

MAPPING = one_contact("""\
Owner:
  lookup:
    object: User
    match: { Name: customer.agentName }
    where: { IsActive: true }
    else:
      lookup: { object: Group, match: { Name: customer.county }, where: { Type: Queue }, else: { value: nobody } }
""")

KINDS: dict[str, dict[str, Any]] = {
    "an active user": {"agentName": "Ana", "county": "Pima"},
    "the queue of who left": {"agentName": "Zoe", "county": "Pima"},
    "nobody": {"agentName": None, "county": None},
    "nothing stated": {},
}
ORDERS = ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1))


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in one batch"])
def test_the_newest_that_says_something_decides(stage: Stage, at_once: bool) -> None:
    ana = stage.crm.add("User", Name="Ana", IsActive=True)["Id"]
    stage.crm.add("User", Name="Zoe", IsActive=False)
    queue = stage.crm.add("Group", Name="Pima", Type="Queue")["Id"]
    stage.route.running = Running(MAPPING)
    owners = dict(zip(KINDS, (ana, queue, "nobody", None), strict=True))
    for turn in range(len(KINDS)):
        kinds = [*KINDS][turn:] + [*KINDS][:turn]
        expected = next(owner for kind in reversed(kinds) if (owner := owners[kind]))
        for number, order in enumerate(ORDERS):
            customer = f"c-{turn}-{number}"
            for place in order:
                stage.accept(f"{customer}-{place}", a_person(customer, place, **KINDS[kinds[place]]))
                if not at_once:
                    stage.drain()
            stage.drain()
            assert stage.contact(customer)["Owner"] == expected, (kinds, order)
