"""Publishing edited mappings, and the versions that ran or were published: compared, and put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flask import Response, abort, g, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from connector.insight.accounts import Account
from connector.insight.edits import Checkup, check, differences, new_contents, of_draft, put_back, reloaded
from connector.insight.mapping_files import Home
from connector.insight.publishing import Obstacle, Publishing
from connector.mapping import Mapping
from connector.store.drafts import Draft
from connector.store.versions import Version
from connector.web.pages import asked, given_reason
from connector.web.workbench import LAST, Workbench

_BY_HAND: Final = frozenset({Obstacle.READ_ONLY, Obstacle.OUTSIDE, Obstacle.OWNER})
"""What keeps this process from writing the files, but not a person."""
_FILES_NOW: Final = "file"


@dataclass(frozen=True, slots=True)
class Publications:
    """The pages that publish an edit, and those of versions."""

    bench: Workbench

    def publish(self) -> AnyResponse:
        """Write an edit's files, with who and why, unless anything is wrong with it."""
        account, home, draft = self.bench.draft(request.form.get("draft", ""))
        for name in draft.files:
            self.bench.file(account, home, name)
        with self.bench.alone():
            checkup = check(account, home, self.bench.accounts, draft.files)
        if wrong := self._wrong(draft, checkup):
            return self._again(account, home, draft, checkup, wrong)
        mapping = checkup.own.loaded.mapping
        if mapping is None:
            abort(404)
        return self._write(account, home, draft, checkup, mapping)

    def _wrong(self, draft: Draft, checkup: Checkup) -> str:
        form = request.form
        if form.get("saves") != str(draft.saves):
            return "The edit was changed after you looked at it. Look again."
        if not checkup.may_publish:
            return "It cannot be published as it is."
        if not given_reason().strip():
            return "Enter a reason first."
        if checkup.warnings and not form.get("warned"):
            return "Confirm that you have read the warnings."
        return ""

    def _again(self, account: Account, home: Home, draft: Draft, checkup: Checkup, wrong: str) -> Response:
        changes, reason = of_draft(home, draft), given_reason()
        shown = {"account": account, "home": home, "draft": draft, "checkup": checkup, "changes": changes}
        return self.bench.gate.show("publish", 400, **shown, reason=reason, wrong=wrong)

    def _write(self, account: Account, home: Home, draft: Draft, checkup: Checkup, mapping: Mapping) -> AnyResponse:
        versions, who = self.bench.store.versions, g.session.name
        publishing = Publishing(home.folder)
        try:
            obstacle = publishing.prepare(new_contents(home, checkup, draft.files))
            if obstacle is not None and obstacle not in _BY_HAND:
                return self._not_written(account, home, draft, checkup, obstacle)
            row = versions.publish(account.name, mapping.version, mapping.files, who, given_reason())
            if obstacle is None:
                obstacle = publishing.put()
        finally:
            publishing.clear()
        if obstacle in _BY_HAND:
            return self._not_written(account, home, draft, checkup, obstacle)
        if obstacle is not None:
            versions.withdraw(row, who)
            return self._not_written(account, home, draft, checkup, obstacle)
        self.bench.store.drafts.discard(draft.id)
        done = f"Published as version {mapping.version}. The worker starts to use it within a few seconds."
        return self.bench.gate.back("console.mapping", done, destination=account.name)

    def _not_written(
        self, account: Account, home: Home, draft: Draft, checkup: Checkup, obstacle: Obstacle | None
    ) -> Response:
        names = checkup.changed
        shown = {"account": account, "home": home, "draft": draft, "files": names, "obstacle": obstacle}
        return self.bench.gate.show("not_written", 409, **shown)

    def versions(self) -> Response:
        """List what ran or was published."""
        account = self.bench.account(asked("destination"))
        running = {row.destination: row for row in self.bench.store.mappings.all()}
        listed = self.bench.store.versions.all(account.name)
        return self.bench.gate.show(
            "versions", account=account, versions=listed, running=running.get(account.name), home=account.home
        )

    def version(self) -> Response:
        """Compare two versions: their texts, and what they make of the stored events."""
        before, account = self._version(asked("old"))
        after_files, after, mapping = self._after(account, asked("new"))
        was = self._loaded(account, before[1])
        compared = self.bench.compared(account, mapping, was) if asked("compared") else None
        return self.bench.gate.show(
            "version",
            account=account,
            old=before[0],
            new=after,
            changes=differences(before[1], after_files),
            loads=was is not None and mapping is not None,
            comparison=compared,
            comparing=bool(asked("compared")),
            last=LAST,
            home=account.home,
        )

    def _version(self, id: str) -> tuple[tuple[Version, dict[str, str]], Account]:
        known = self.bench.store.versions.get(int(id)) if id.isdecimal() and len(id) < 19 else None
        if known is None:
            abort(404)
        return known, self.bench.account(known[0].destination)

    def _after(self, account: Account, id: str) -> tuple[dict[str, str], Version | None, Mapping | None]:
        """The version to compare with: that of an id, or the files as they are now."""
        if id and id != _FILES_NOW:
            (version, files), other = self._version(id)
            if other is not account:
                abort(404)
            return files, version, self._loaded(account, files)
        mapping = account.mapping
        return dict(mapping.files if mapping else {}), None, mapping

    def _loaded(self, account: Account, files: dict[str, str]) -> Mapping | None:
        if account.home is None or not files:
            return None
        with self.bench.alone():
            return reloaded(account, account.home, files).mapping

    def put_back(self) -> AnyResponse:
        """Begin an edit with the texts of a version; it is then published like any other."""
        (_, files), account = self._version(request.form.get("version", ""))
        home = self.bench.home(account)
        edits = put_back(home, files)
        if not edits:
            return self.bench.gate.back(
                "console.versions", "None of its files is this agency's.", destination=account.name
            )
        draft = self.bench.begin(account, "", edits)
        return redirect(url_for("console.review", draft=draft.id), 303)
