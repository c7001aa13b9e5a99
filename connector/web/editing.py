"""Editing a mapping's files in the console: every step keeps the edit, and none changes a file."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from flask import Response, g, make_response, render_template, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from connector.insight.accounts import Account
from connector.insight.edits import begun, check, edited, of_draft, own_files, rebased
from connector.insight.mapping_files import ENDINGS, MAX_TEXT, Home, content_for, content_of
from connector.store.drafts import Draft, FileEdit
from connector.web.pages import asked
from connector.web.workbench import LAST, Workbench

_NEW_NAME: Final = re.compile(r"[A-Za-z0-9][\w-]{0,60}(\.[\w-]{1,20})*\.ya?ml")


@dataclass(frozen=True, slots=True)
class Editing:
    """The pages of edits that are not published yet."""

    bench: Workbench

    def edit(self) -> AnyResponse:
        """Show a file with its edit, what the checks say, and the difference over stored events."""
        if asked("draft"):
            account, _, draft = self.bench.draft(asked("draft"))
        else:
            account, draft = self.bench.account(asked("destination")), None
        home = self.bench.home(account)
        name = self.bench.file(account, home, asked("file") or (next(iter(draft.files), "") if draft else ""))
        return self._page(account, home, draft, name)

    def _page(
        self, account: Account, home: Home, draft: Draft | None, name: str, typed: FileEdit | None = None
    ) -> Response:
        """Show the page of an edit. typed: instead of what was saved."""
        edit = typed or self.bench.edit(home, draft, name)
        files = {**(draft.files if draft else {}), name: edit}
        with self.bench.alone():
            checkup = check(account, home, self.bench.accounts, files)
        compared = self.bench.compared(account, checkup.own.loaded.mapping) if asked("compared") else None
        return self.bench.gate.show(
            "edit",
            account=account,
            home=home,
            draft=draft,
            drafts=[] if draft else self.bench.store.drafts.of(account.name),
            tab=secrets.token_hex(8),
            file=name,
            edit=edit,
            files=list(dict.fromkeys([*own_files(home, checkup.own.loaded), *files])),
            checkup=checkup,
            comparison=compared,
            comparing=bool(asked("compared")),
            unsaved=typed is not None,
            max_kib=MAX_TEXT // 1024,
            is_too_long=name in checkup.too_long,
            last=LAST,
            lines=edit.text.splitlines(),
        )

    def save_edit(self) -> AnyResponse:
        """Keep the edit, then go where the button says; an htmx request gets what the checks say."""
        account = self.bench.account(request.form.get("destination", ""))
        home = self.bench.home(account)
        name = self.bench.file(account, home, request.form.get("file", ""))
        if g.get("stale_form"):
            return self._show_again(account, home, name)
        draft, apart = self._saved(account, home, name)
        if request.headers.get("HX-Request"):
            return self._fragment(account, home, draft, name, apart=apart)
        if apart:
            notice = "Somebody else saved, published or discarded this edit meanwhile. Yours is kept as one of its own."
            return self.bench.gate.back("console.edit", notice, draft=draft.id, file=name)
        return self._next(home, draft, name)

    def _show_again(self, account: Account, home: Home, name: str) -> Response:
        """Show what was typed into the form of a session that has ended; nothing is saved."""
        known = self.bench.store.drafts.get(request.form.get("draft", ""))
        draft = known if known and known.destination == account.name else None
        typed = edited(self.bench.edit(home, draft, name), request.form.get("text", ""))
        return self._page(account, home, draft, name, typed)

    def _saved(self, account: Account, home: Home, name: str) -> tuple[Draft, bool]:
        """Keep the form's text; return the edit, and whether it had to be kept apart from the one it was of."""
        form, drafts = request.form, self.bench.store.drafts
        known = drafts.get(form.get("draft", "")) if form.get("draft") else None
        draft = known if known and known.destination == account.name else None
        before, state = self.bench.edit(home, draft, name), form.get("state", "")
        page = form.get("page", "").replace("\0", "")[:32]
        if before.state != state:
            before = FileEdit(before.text, None, state)  # the file was changed since the form was shown
        files = {**(draft.files if draft else {}), name: edited(before, form.get("text", ""))}
        saves = form.get("saves", "")
        if draft is not None:
            count = int(saves) if saves.isdecimal() and len(saves) < 9 else 0
            saved = drafts.save(draft.id, count, g.session.name, page, files)
            if saved is not None:
                return saved, False
        return self.bench.begin(account, page, files), bool(form.get("draft"))

    def _next(self, home: Home, draft: Draft, name: str) -> AnyResponse:
        match request.form.get("do"):
            case "compare":
                return redirect(f"{_at(draft, name)}&compared=1#differences", 303)
            case "review":
                return redirect(url_for("console.review", draft=draft.id), 303)
            case "open":
                return redirect(_at(draft, request.form.get("other") or name), 303)
            case "new":
                return self._new_file(home, draft, name)
            case "again":
                self._take_over(home, draft)
        return redirect(_at(draft, name), 303)

    def _new_file(self, home: Home, draft: Draft, name: str) -> AnyResponse:
        new = request.form.get("new", "").strip()
        if not new.endswith(ENDINGS):
            new += ".yaml"
        place = home.place(new)
        if not _NEW_NAME.fullmatch(new) or home.name(place) is None or content_of(place) is not None:
            wrong = f"No file was added: {new[:60]} cannot be the name of a new file in this folder, or it is there."
            return self.bench.gate.back("console.edit", wrong, draft=draft.id, file=name)
        files = {**draft.files, new: draft.files.get(new) or begun(home, new)}
        saved = self.bench.store.drafts.save(draft.id, draft.saves, g.session.name, draft.page, files)
        return redirect(_at(saved or draft, new), 303)

    def _take_over(self, home: Home, draft: Draft) -> None:
        """Take the files as they are now for what the edit began with."""
        files = {file: rebased(home, file, edit) for file, edit in draft.files.items()}
        self.bench.store.drafts.save(draft.id, draft.saves, g.session.name, draft.page, files)

    def continue_edit(self) -> AnyResponse:
        """Go on with an edit although somebody else changed its files since it began."""
        _, home, draft = self.bench.draft(request.form.get("draft", ""))
        self._take_over(home, draft)
        return redirect(url_for("console.review", draft=draft.id), 303)

    def _fragment(self, account: Account, home: Home, draft: Draft, name: str, *, apart: bool) -> Response:
        with self.bench.alone():
            checkup = check(account, home, self.bench.accounts, draft.files)
        page = render_template(
            "console/edit_checked.html",
            session=g.session,
            account=account,
            draft=draft,
            file=name,
            checkup=checkup,
            apart=apart,
            edit=draft.files[name],
            oob=True,
            home=home,
        )
        answer = make_response(page)
        answer.headers["HX-Replace-Url"] = _at(draft, name)
        return answer

    def discard_edit(self) -> AnyResponse:
        """Drop an edit."""
        account, _, draft = self.bench.draft(request.form.get("draft", ""))
        self.bench.store.drafts.discard(draft.id)
        thing = f"{', '.join(draft.files)} of {account.name}, last saved by {draft.who or 'somebody'}"
        self.bench.store.audit.note(g.session.name, "discard edit", thing, agency=account.agency)
        return self.bench.gate.back("console.mapping", "The edit is discarded.", destination=account.name)

    def download(self) -> Response:
        """Send a file as the edit would have it."""
        account, home, draft = self.bench.draft(asked("draft"))
        name = self.bench.file(account, home, asked("file"))
        if name not in draft.files:
            return self._page(account, home, draft, name)
        place = home.place(name)
        answer = make_response(content_for(draft.files[name].text, content_of(place)))
        answer.headers["Content-Type"] = "application/yaml"
        answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(place.name)}"
        return answer

    def review(self) -> Response:
        """Show what would be published, and ask for the reason."""
        account, home, draft = self.bench.draft(asked("draft"))
        with self.bench.alone():
            checkup = check(account, home, self.bench.accounts, draft.files)
        changes = of_draft(home, draft)
        return self.bench.gate.show(
            "publish", account=account, draft=draft, checkup=checkup, changes=changes, home=home, reason="", wrong=""
        )


def _at(draft: Draft, name: str) -> str:
    return url_for("console.edit", draft=draft.id, file=name)
