"""The Identity pages: the questions about who is who, and two clicks that answer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, abort, g, request
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import StateChanged
from connector.insight.accounts import Account
from connector.insight.identity import (
    ShownQuestion,
    decided_words,
    newest_decided,
    oldest_open,
    question_of,
    queued_words,
)
from connector.store import Store
from connector.store.desk import PAGE
from connector.web.gate import Gate
from connector.web.pages import asked, given_reason


@dataclass(frozen=True, slots=True)
class Identities:
    """The pages that show which CRM records may be a customer's, and keep what operators decide."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]

    def identity(self) -> Response:
        """List the open questions, the oldest first, then the decided ones."""
        opened = oldest_open(self.store, self.accounts, PAGE)
        more = self.store.questions.count() - len(opened)
        decided = newest_decided(self.store, self.accounts, PAGE)
        return self.gate.show("identity", opened=opened, more=more, decided=decided, now=self.store.database.time())

    def confirm_identity(self, id: str, action: str) -> Response:
        """Ask before a question is decided, or a decision is taken back."""
        question = self._asked(id)
        if question.of.is_open is (action == "undo") or (
            action == "same" and not self._offers(question, asked("crm_id"))
        ):
            abort(404)
        return self.gate.show("confirm_identity", action=action, question=question, chosen=asked("crm_id"))

    def decide(self, id: str, action: str) -> AnyResponse:
        """Keep a decision, if the question is still as the operator saw it."""
        question, who = self._asked(id), g.session.name
        if request.form.get("seen", "") != question.seen:
            return self._back("Nothing was changed: the question has changed. Check again.")
        try:
            notice = self._carry_out(question, action, who)
        except StateChanged as error:
            return self._back(f"Nothing was changed: {error}.")
        return self._back(f"{decided_words(self._asked(id))} {notice}".strip())

    def _carry_out(self, question: ShownQuestion, action: str, who: str) -> str:
        deciding, reason = self.store.deciding, given_reason()
        match action:
            case "same":
                return queued_words(deciding.same_person(question.of, request.form.get("crm_id", ""), who, reason))
            case "undo":
                count = deciding.take_back(question.of, who, reason)
                return queued_words(count) if question.of.chosen else "The question is open again."
            case _:
                deciding.somebody_else(question.of, who, reason)
                return ""

    def _asked(self, id: str) -> ShownQuestion:
        question = question_of(self.store, self.accounts, id)
        if question is None:
            abort(404)
        return question

    def _offers(self, question: ShownQuestion, crm_id: str) -> bool:
        return crm_id in {candidate.id for candidate in question.candidates}

    def _back(self, notice: str) -> AnyResponse:
        return self.gate.back("console.identity", notice)
