"""Mappings edited, published, compared and put back in the console, over HTTP."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.insight.accounts import Account
from connector.insight.mapping_files import Home, state_of
from connector.insight.publishing import NewContent, Obstacle, Publishing
from connector.mapping import shipped_folder
from connector.mapping.target import TargetField, TargetObject
from connector.store import Store
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords
from connector.web.roster import Roster
from tests.builders import DESTINATION
from tests.conftest import Clock
from tests.web.conftest import HASH, KEY, MINUTE, VIEWERS_HASH, act, an_account, log_in, token
from tests.web.test_accounts import ANA, hashed, write

OWN = """# ours
extends: salesforce-contact
records:
  contact:
    fields:
      Department: { value: Sales }   # a note
"""
EDITED = OWN.replace("value: Sales", "value: Service")
BROKEN = OWN.replace("{ value: Sales }", "customer.citty")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "agency.yaml").write_text("agency: sunrise\nwebhook: { secrets: [a secret of theirs] }\n")
    (folder / "our-contacts.yaml").write_text(OWN)
    return folder


def with_home(folder: Path, name: str = DESTINATION, file: str = "our-contacts.yaml") -> Account:
    path = folder / file if file.endswith(".yaml") else shipped_folder() / f"{file}.yaml"
    home = Home(path, folder, file.endswith(".yaml"), frozenset({folder / "agency.yaml"}))
    account = an_account(path)
    return replace(account, name=name, home=home)


def console(store: Store, clock: Clock, *accounts: Account, roster: Roster | None = None) -> Flask:
    passwords = Passwords(HASH, VIEWERS_HASH)
    pages = create_console(store, passwords, KEY, lambda: clock() / 1000, accounts, roster=roster)
    app = create_admin(store, [pages])
    app.testing = True
    return app


@pytest.fixture
def app(store: Store, clock: Clock, folder: Path) -> Flask:
    return console(store, clock, with_home(folder))


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def posted(page: str) -> dict[str, str]:
    """What the form of an edit sends besides its text."""
    return {name: field(page, name) for name in ("token", "destination", "file", "page", "draft", "saves", "state")}


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's only form."""
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page))


def save(client: FlaskClient, text: str, do: str = "check", page: str = "", **more: str) -> TestResponse:
    """Post an edit as the form would. page: the form it was typed into."""
    page = page or client.get("/console/mapping/edit").text
    return client.post(
        "/console/mapping/edit", data={**posted(page), "text": text, "do": do, **more}, follow_redirects=True
    )


def publish(client: FlaskClient, review: TestResponse, reason: str = "a new department", **more: str) -> TestResponse:
    form = {"token": token(client, "/console/events"), "draft": field(review.text, "draft")}
    form |= {"saves": field(review.text, "saves"), "reason": reason, **more}
    return client.post("/console/mapping/publish", data=form, follow_redirects=True)


class TestEditing:
    def test_the_form_starts_with_the_file_as_it_is(self, operator: FlaskClient) -> None:
        page = operator.get("/console/mapping/edit").text
        assert "value: Sales }   # a note" in page
        assert "Nothing is changed yet" in page

    def test_an_edit_is_there_again_whenever_its_page_is_opened(self, operator: FlaskClient, folder: Path) -> None:
        here = save(operator, EDITED).request.url
        assert "value: Service" in operator.get(here).text
        assert "our-contacts.yaml</a>, last saved" in operator.get("/console/mapping/edit").text
        assert (folder / "our-contacts.yaml").read_text() == OWN

    def test_a_mistake_is_shown_with_a_link_to_its_line(self, operator: FlaskClient) -> None:
        page = save(operator, BROKEN).text
        assert 'href="#line-6"' in page
        assert 'id="line-6"' in page
        assert "M101" in page
        assert "customer.citty" in page

    @pytest.mark.parametrize("do", ["check", "compare", "review"])
    @pytest.mark.parametrize("text", ["", "{", "[" * 20_000, "\0", "x" * 140_000, "extends: [agency.yaml]\n"])
    def test_no_text_breaks_a_step_or_is_lost(self, operator: FlaskClient, text: str, do: str) -> None:
        answer = save(operator, text, do)
        assert answer.status_code == 200

    def test_the_agency_s_own_file_is_never_shown(self, operator: FlaskClient) -> None:
        assert operator.get("/console/mapping/edit?file=agency.yaml").status_code == 404
        assert "a secret of theirs" not in save(operator, "extends: [salesforce-contact, agency.yaml]\n").text

    @pytest.mark.parametrize(
        "name", ["../other.yaml", "/etc/hostname", "../../etc/passwd", "our-contacts.txt", "a\nb.yaml"]
    )
    def test_no_file_outside_the_folder_is_opened(self, operator: FlaskClient, name: str) -> None:
        assert operator.get("/console/mapping/edit", query_string={"file": name}).status_code == 404

    def test_a_file_that_is_no_mapping_is_never_shown(self, operator: FlaskClient, folder: Path) -> None:
        (folder / "console-people.yaml").write_text("people: { ana: { role: admin, password: a hash } }\n")
        assert operator.get("/console/mapping/edit?file=console-people.yaml").status_code == 404

    def test_a_mapping_that_nothing_extends_yet_is_edited(self, operator: FlaskClient, folder: Path) -> None:
        (folder / "later.yaml").write_text(OWN)
        assert "Department" in operator.get("/console/mapping/edit?file=later.yaml").text

    def test_checking_while_typing_answers_with_the_checks_alone(self, operator: FlaskClient) -> None:
        page = operator.get("/console/mapping/edit").text
        form = {name: field(page, name) for name in ("token", "destination", "file", "page", "draft", "saves", "state")}
        answer = operator.post("/console/mapping/edit", data={**form, "text": BROKEN}, headers={"HX-Request": "true"})
        assert "M101" in answer.text
        assert "<html" not in answer.text
        assert "draft=" in answer.headers["HX-Replace-Url"]

    def test_the_same_page_may_save_again_without_its_last_answer(self, operator: FlaskClient, store: Store) -> None:
        page = operator.get("/console/mapping/edit").text
        first = save(operator, EDITED, page=page)
        again = operator.get(first.request.url).text
        save(operator, EDITED + "# 1\n", page=again)
        save(operator, EDITED + "# 2\n", page=again)
        (draft,) = store.drafts.of(DESTINATION)
        assert draft.files["our-contacts.yaml"].text.endswith("# 2\n")

    def test_two_people_in_one_edit_keep_both_texts(self, operator: FlaskClient, store: Store) -> None:
        here = save(operator, EDITED).request.url
        one, other = operator.get(here).text, operator.get(here).text
        save(operator, EDITED + "# one\n", page=one)
        assert "Yours is kept as one of its own" in save(operator, EDITED + "# other\n", page=other).text
        texts = {draft.files["our-contacts.yaml"].text.splitlines()[-1] for draft in store.drafts.of(DESTINATION)}
        assert texts == {"# one", "# other"}

    def test_the_form_of_an_ended_session_is_shown_again_and_saves_nothing(
        self, operator: FlaskClient, store: Store
    ) -> None:
        page = operator.get("/console/mapping/edit").text
        answer = save(operator, EDITED, page=page.replace(field(page, "token"), "of-another-session"))
        assert "value: Service" in answer.text
        assert "Nothing is lost: save it now" in answer.text
        assert store.drafts.of(DESTINATION) == []
        assert "Saved at" in save(operator, EDITED, page=answer.text).text

    def test_a_text_sent_after_the_session_is_shown_and_saved_after_the_next_login(
        self, operator: FlaskClient, store: Store, clock: Clock
    ) -> None:
        page = operator.get("/console/mapping/edit").text
        clock.forward(31 * MINUTE)
        ended = save(operator, EDITED, page=page)
        assert (ended.status_code, "value: Service" in ended.text) == (403, True)
        assert store.drafts.of(DESTINATION) == []
        log_in(operator)
        again = operator.post("/console/mapping/edit", data={**hidden(ended.text), "text": EDITED})
        assert "Saved at" in save(operator, EDITED, page=again.text).text

    @pytest.mark.slow
    def test_a_file_too_large_to_be_shown_is_never_cut(self, operator: FlaskClient, folder: Path) -> None:
        whole = OWN + "# much\n" * 30_000
        (folder / "our-contacts.yaml").write_text(whole)
        review = save(operator, OWN, "review")
        assert "<button>Publish</button>" not in review.text
        assert (folder / "our-contacts.yaml").read_text() == whole

    def test_an_edit_is_discarded_and_the_log_says_whose(self, operator: FlaskClient, store: Store) -> None:
        save(operator, EDITED)
        (draft,) = store.drafts.of(DESTINATION)
        form = {"token": token(operator), "draft": draft.id}
        operator.post("/console/mapping/discard", data=form)
        assert store.drafts.of(DESTINATION) == []
        entry = store.audit.entries()[0]
        what = f"our-contacts.yaml of {DESTINATION}, last saved by {draft.who}"
        assert (entry.action, entry.thing) == ("discard edit", what)

    def test_a_viewer_neither_edits_nor_publishes(self, viewer: FlaskClient) -> None:
        assert viewer.get("/console/mapping/edit").status_code == 403
        form = {"token": token(viewer), "destination": DESTINATION}
        for page in ("edit", "publish", "put-back", "discard", "continue"):
            assert viewer.post(f"/console/mapping/{page}", data=form).status_code == 403

    def test_a_file_of_any_name_is_downloaded_under_that_name(self, operator: FlaskClient) -> None:
        page = operator.get("/console/mapping/edit", query_string={"file": "señor.yaml"}).text
        saved = save(operator, OWN, page=page).request.url
        answer = operator.get(saved.replace("/edit?", "/download?"))
        assert answer.headers["Content-Disposition"].endswith("filename*=UTF-8''se%C3%B1or.yaml")

    def test_a_new_file_is_added_and_extended(self, operator: FlaskClient, folder: Path) -> None:
        review = save(
            operator, OWN.replace("extends: salesforce-contact", "extends: [own-base.yaml]"), "new", new="own-base.yaml"
        )
        assert "Edit own-base.yaml" in review.text
        review = save(operator, "extends: salesforce-contact\n", "review", page=review.text)
        assert "Published as version" in publish(operator, review).text
        assert (folder / "own-base.yaml").read_text() == "extends: salesforce-contact\n"
        assert "own-base.yaml" in (folder / "our-contacts.yaml").read_text()


class TestPublishing:
    def test_it_writes_the_file_and_keeps_who_and_why(self, operator: FlaskClient, store: Store, folder: Path) -> None:
        page = publish(operator, save(operator, EDITED, "review")).text
        assert "Published as version" in page
        assert (folder / "our-contacts.yaml").read_text() == EDITED
        (version,) = store.versions.all(DESTINATION)
        assert (version.reason, version.ran_at) == ("a new department", None)
        assert "console" in version.who
        assert "a new department" in store.audit.entries(1)[0].reason
        assert store.drafts.of(DESTINATION) == []
        assert [path.name for path in sorted(folder.iterdir())] == ["agency.yaml", "our-contacts.yaml"]

    def test_a_second_click_says_that_it_is_published_or_gone(self, operator: FlaskClient) -> None:
        review = save(operator, EDITED, "review")
        publish(operator, review)
        assert "This edit was published or discarded meanwhile." in publish(operator, review).text

    def test_an_edit_that_nothing_can_be_is_not_there(self, operator: FlaskClient) -> None:
        answer = act(operator, "/console/mapping/discard", draft="\0")
        assert "This edit was published or discarded meanwhile." in answer.text

    def test_errors_are_never_published(self, operator: FlaskClient, store: Store, folder: Path) -> None:
        review = save(operator, BROKEN, "review")
        assert "does not load" in review.text
        form = {
            "draft": review.text.partition("draft=")[2].partition('"')[0].partition("&")[0],
            "token": token(operator),
        }
        answer = operator.post("/console/mapping/publish", data={**form, "saves": "1", "reason": "x"})
        assert answer.status_code == 400
        assert (folder / "our-contacts.yaml").read_text() == OWN

    def test_failing_tests_are_never_published(self, operator: FlaskClient, folder: Path) -> None:
        failing = EDITED + "tests: [{ name: mine, event: customer.updated, expect: { contact: { Department: X } } }]\n"
        review = save(operator, failing, "review")
        assert "The test “mine”" in review.text
        assert "<button>Publish</button>" not in review.text

    def test_a_reason_is_needed(self, operator: FlaskClient, folder: Path) -> None:
        answer = publish(operator, save(operator, EDITED, "review"), "  ")
        assert "Enter a reason first" in answer.text
        assert (folder / "our-contacts.yaml").read_text() == OWN

    def test_warnings_need_a_tick(self, operator: FlaskClient, folder: Path) -> None:
        review = save(operator, EDITED.replace("    fields:", "    remove: [Nowhere__c]\n    fields:"), "review")
        assert "read the warnings" in publish(operator, review).text
        assert "Published" in publish(operator, review, warned="1").text

    def test_a_file_changed_meanwhile_is_not_overwritten(self, operator: FlaskClient, folder: Path) -> None:
        review = save(operator, EDITED, "review")
        (folder / "our-contacts.yaml").write_text(OWN + "# pulled\n")
        answer = publish(operator, review)
        assert answer.status_code == 400
        assert "changed by somebody else" in answer.text
        assert (folder / "our-contacts.yaml").read_text() == OWN + "# pulled\n"
        form = {"token": token(operator), "draft": field(review.text, "draft")}
        again = operator.post("/console/mapping/continue", data=form, follow_redirects=True)
        assert "# pulled" in again.text
        assert "Published" in publish(operator, again).text

    def test_a_link_out_of_the_folder_leads_to_a_download(
        self, operator: FlaskClient, store: Store, folder: Path
    ) -> None:
        elsewhere = folder.parent / "elsewhere.yaml"
        (folder / "our-contacts.yaml").rename(elsewhere)
        (folder / "our-contacts.yaml").symlink_to(elsewhere)
        answer = publish(operator, save(operator, EDITED, "review"))
        assert "leads out of the agency" in answer.text
        assert elsewhere.read_text() == OWN
        link = re.search(r'href="([^"]*download[^"]*)"', answer.text)
        assert link is not None
        assert operator.get(link[1].replace("&amp;", "&")).text == EDITED
        (version,) = store.versions.all(DESTINATION)
        store.mappings.running(DESTINATION, version.version, {})
        assert store.versions.all(DESTINATION)[0].who == version.who

    def test_line_ends_and_a_mark_stay(self, operator: FlaskClient, folder: Path) -> None:
        (folder / "our-contacts.yaml").write_bytes(b"\xef\xbb\xbf" + OWN.replace("\n", "\r\n").encode())
        publish(operator, save(operator, EDITED.replace("\n", "\r\n"), "review"))
        assert (folder / "our-contacts.yaml").read_bytes() == b"\xef\xbb\xbf" + EDITED.replace("\n", "\r\n").encode()

    def test_owner_and_mode_stay(self, operator: FlaskClient, folder: Path) -> None:
        (folder / "our-contacts.yaml").chmod(0o640)
        publish(operator, save(operator, EDITED, "review"))
        assert (folder / "our-contacts.yaml").stat().st_mode & 0o777 == 0o640

    def test_a_file_that_is_not_utf_8_is_shown_and_saved_as_utf_8(self, operator: FlaskClient, folder: Path) -> None:
        (folder / "our-contacts.yaml").write_bytes(OWN.replace("a note", "caf\xe9").encode("latin-1"))
        page = operator.get("/console/mapping/edit").text
        assert "café" in page
        publish(operator, save(operator, OWN.replace("a note", "café"), "review"))
        assert (folder / "our-contacts.yaml").read_text("utf-8") == OWN.replace("a note", "café")

    def test_a_file_two_destinations_share_is_checked_for_both(self, store: Store, clock: Clock, folder: Path) -> None:
        client = console(store, clock, with_home(folder), with_home(folder, "sunrise/second")).test_client()
        log_in(client)
        assert "It also changes what is written to sunrise/second" in save(client, EDITED, "review").text

    def test_nobody_edits_or_extends_the_mapping_of_another_agency(
        self, store: Store, clock: Clock, folder: Path
    ) -> None:
        (folder / "theirs.yaml").write_text(OWN.replace("Sales", "a queue of theirs"))
        people = {"ana": {"role": "admin", "password": hashed(ANA), "agencies": ["sunrise"]}}
        accounts = (with_home(folder), with_home(folder, "sunset/salesforce", "theirs.yaml"))
        client = console(store, clock, *accounts, roster=Roster(write(folder / "people.yaml", **people))).test_client()
        log_in(client, ANA, name="ana")
        form = {**posted(client.get("/console/mapping/edit").text), "file": "theirs.yaml", "text": EDITED}
        assert client.get("/console/mapping/edit?file=theirs.yaml").status_code == 404
        assert client.post("/console/mapping/edit", data=form).status_code == 404
        extending = save(client, OWN.replace("extends: salesforce-contact", "extends: theirs.yaml"), "review")
        assert "there is no mapping" in extending.text
        assert "a queue of theirs" not in extending.text

    def test_a_file_that_another_agency_shares_is_not_edited_for_it(
        self, store: Store, clock: Clock, folder: Path
    ) -> None:
        people = {"ana": {"role": "admin", "password": hashed(ANA), "agencies": ["sunrise"]}}
        accounts = (with_home(folder), with_home(folder, "sunset/salesforce"))
        client = console(store, clock, *accounts, roster=Roster(write(folder / "people.yaml", **people))).test_client()
        log_in(client, ANA, name="ana")
        assert client.get("/console/mapping/edit").status_code == 403

    def test_who_runs_a_shipped_mapping_begins_a_file(self, store: Store, clock: Clock, folder: Path) -> None:
        client = console(store, clock, with_home(folder, file="salesforce-contact")).test_client()
        log_in(client)
        page = client.get("/console/mapping/edit").text
        assert ">\nextends: salesforce-contact\n</textarea>" in page
        assert "mapping: our-salesforce-contact.yaml" in page
        assert "Published as version" in publish(client, save(client, EDITED, "review", page)).text
        assert (folder / "our-salesforce-contact.yaml").read_text() == EDITED

    def test_a_folder_that_cannot_be_written_is_no_error(self, tmp_path: Path) -> None:
        publishing = Publishing(tmp_path)
        new = NewContent(tmp_path / "gone" / "a.yaml", "", b"a")
        assert publishing.prepare([new]) is Obstacle.READ_ONLY

    def test_nothing_half_written_is_left(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes(b"was")
        publishing = Publishing(tmp_path)
        new = NewContent(tmp_path / "a.yaml", state_of(b"was"), b"is")
        assert publishing.prepare([new]) is None
        (tmp_path / "a.yaml").write_bytes(b"meanwhile")
        assert publishing.put() is Obstacle.CHANGED
        publishing.clear()
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.yaml", b"meanwhile")]


class TestVersions:
    def test_what_ran_is_listed_once_each_time(self, store: Store) -> None:
        for version in ("v1", "v1", "v2", "v1"):
            store.mappings.running(DESTINATION, version, {"own.yaml": version})
        assert [own.version for own in store.versions.all(DESTINATION)] == ["v1", "v2", "v1"]

    def test_what_was_published_runs_under_its_name(self, operator: FlaskClient, store: Store, folder: Path) -> None:
        publish(operator, save(operator, EDITED, "review"))
        mapping = with_home(folder).mapping
        assert mapping is not None
        store.mappings.running(DESTINATION, mapping.version, mapping.files)
        (version,) = store.versions.all(DESTINATION)
        assert version.ran_at is not None
        page = operator.get(f"/console/mapping/versions?destination={DESTINATION}").text
        assert "a new department" in page

    def test_two_are_compared_and_the_older_is_put_back(
        self, operator: FlaskClient, store: Store, folder: Path
    ) -> None:
        mapping = with_home(folder).mapping
        assert mapping is not None
        store.mappings.running(DESTINATION, mapping.version, mapping.files)
        publish(operator, save(operator, EDITED, "review"))
        new, old = store.versions.all(DESTINATION)
        page = operator.get(f"/console/mapping/version?old={old.id}&new={new.id}").text
        assert "value: Sales" in page
        assert "value: Service" in page
        assert f"--mapping {old.version}" in page
        form = {"token": token(operator), "version": str(old.id)}
        review = operator.post("/console/mapping/put-back", data=form, follow_redirects=True)
        assert "Published" in publish(operator, review, "it was better before").text
        assert (folder / "our-contacts.yaml").read_text() == OWN
        assert store.versions.all(DESTINATION)[0].version == old.version

    @pytest.mark.parametrize("query", ["old=0", "old=x", "old=99999999999999999999", "", "old=1&new=2"])
    def test_a_version_that_is_not_there_is_not_found(self, operator: FlaskClient, query: str) -> None:
        assert operator.get(f"/console/mapping/version?{query}").status_code == 404


class TestTheTable:
    def test_it_says_what_becomes_of_what(self, operator: FlaskClient) -> None:
        page = operator.get("/console/mapping/show").text
        assert "first name" in page
        assert "always “Sales”" in page
        assert "translated: Lead → Open - Not Contacted" in page
        assert "withheld while <code>doNotSMS</code>" in page
        assert 'href="#our-contacts.yaml-6"' in page
        assert 'id="our-contacts.yaml-6"' in page
        assert 'href="#salesforce-contact.yaml-' in page

    def test_a_crm_s_own_label_is_beside_its_field(self, operator: FlaskClient, store: Store, folder: Path) -> None:
        fields = {"Department": TargetField(type="string", label="Sales department")}
        store.descriptions.keep(DESTINATION, {"Contact"}, {"Contact": TargetObject(fields=fields)})
        assert "Sales department <code>Department</code>" in operator.get("/console/mapping/show").text

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"\0", b"extends: [gone.yaml]\n", None])
    def test_a_broken_file_breaks_no_page(self, operator: FlaskClient, folder: Path, content: bytes | None) -> None:
        (folder / "our-contacts.yaml").unlink()
        if content is not None:
            (folder / "our-contacts.yaml").write_bytes(content)
        for page in ("", "/show", "/edit", "/versions", "/try"):
            assert operator.get(f"/console/mapping{page}").status_code == 200, page

    def test_what_runs_is_shown_while_the_file_is_broken(
        self, operator: FlaskClient, store: Store, folder: Path
    ) -> None:
        mapping = with_home(folder).mapping
        assert mapping is not None
        store.mappings.running(DESTINATION, mapping.version, mapping.files)
        (folder / "our-contacts.yaml").write_text("{")
        page = operator.get("/console/mapping/show").text
        assert "always “Sales”" in page
        assert "The table shows the version that runs" in page
