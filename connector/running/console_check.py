"""Whether the console can be used, and by whom: doctor's last finding."""

from __future__ import annotations

import time
from collections.abc import Sequence

from connector.errors import FixConfiguration
from connector.running.config import Process
from connector.running.findings import Finding, Health
from connector.web.openid import Problem, Provider
from connector.web.openid_settings import ISSUER_SETTING, OpenId, complete
from connector.web.origin import read_origin
from connector.web.passwords import Passwords, Person, is_old
from connector.web.roster import read_people


def check_console(process: Process) -> Finding:
    """Look at the passwords, the file of people, and the console's address."""
    try:
        people = people_of(process)
        read_origin(process.console_url, process.console_proxies)
        openid = complete(process.console_openid, process.console_url)
    except FixConfiguration as error:
        return Finding("console", Health.WRONG, str(error), "fix this first: the connector does not start")
    if not people or process.admin_listen is None:
        return Finding("console", Health.DOUBTFUL, "is off", "run connector console password to turn it on")
    if old := [person.name or "the shared password" for person in people if is_old(person.hash)]:
        problem = f"is on, but hashes of an older kind are easier to guess: {', '.join(dict.fromkeys(old))}"
        return Finding("console", Health.DOUBTFUL, problem, "set these passwords again")
    if problem := _problem_of(openid, people):
        return Finding("console", Health.DOUBTFUL, f"is on, but {problem}", "see docs/operating.md, OpenID Connect")
    return Finding("console", Health.FINE, "is on")


def _problem_of(openid: OpenId | None, people: Sequence[Person]) -> str:
    """Why somebody may not come in through OpenID Connect; empty if all is well."""
    if openid is None:
        stuck = [person.name for person in people if not person.hash]
        return f"without {ISSUER_SETTING} these people cannot log in: {', '.join(stuck)}" if stuck else ""
    try:
        Provider(openid, "", time.monotonic).check()
    except Problem as problem:
        return f"{openid.host} cannot be used: {problem.why}"
    return ""


def people_of(process: Process) -> list[Person]:
    """Everybody who may sign in. Raises FixConfiguration."""
    shared = Passwords(process.console_password_hash, process.console_viewer_password_hash)
    file = process.console_people
    return [*shared.people, *(read_people(file).values() if file else ())]
