"""The destinations whose mappings the console knows, as far as the person that asks may see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from flask import g

from connector.insight.accounts import Account


class SeenAccounts(Sequence[Account]):
    """Of all accounts, those of the session's agencies."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._all = accounts

    def _seen(self) -> list[Account]:
        return [account for account in self._all if g.session.sees(account.agency)]

    def unseen(self) -> list[Account]:
        """List those of other agencies: nothing of theirs may be shown or changed."""
        return [account for account in self._all if not g.session.sees(account.agency)]

    def __len__(self) -> int:
        return len(self._seen())

    @overload
    def __getitem__(self, index: int) -> Account: ...

    @overload
    def __getitem__(self, index: slice) -> list[Account]: ...

    def __getitem__(self, index: int | slice) -> Account | list[Account]:
        return self._seen()[index]
