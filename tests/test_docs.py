"""The documentation as a specification: what it shows runs, what it lists is all there is, where it points exists."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import click
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import BaseModel

from connector import cli, mapping
from connector.carecycle import catalogue, recognise
from connector.destinations import VENDORS
from connector.destinations.hubspot.errors import OTHER, POLICIES, PROBLEMS, SERVER, TROUBLES
from connector.destinations.salesforce.auth import SalesforceOptions
from connector.destinations.salesforce.login_refusals import REFUSALS
from connector.destinations.salesforce.rule import REJECTING, Kind
from connector.destinations.salesforce.rules import RULES, UNKNOWN
from connector.destinations.salesforce.settings import VERSION
from connector.errors import ConnectorError, PauseReason
from connector.mapping.conditions import _OPERATORS as OPERATORS
from connector.mapping.formats import FORMATS
from connector.mapping.reference import put_in_place
from connector.mapping.schema import Consent, File, Record
from connector.mapping.schema_sources import SOURCES, MappedField
from connector.model import Mode, Rule
from connector.running.config import AgencySettings, read_agencies, read_process
from connector.sandbox.hubspot import SCOPES
from connector.web.door import Limits

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text("utf-8")
LANGUAGE = (ROOT / "docs/mapping.md").read_text("utf-8")
SALESFORCE = (ROOT / "docs/salesforce.md").read_text("utf-8")
OPERATING = (ROOT / "docs/operating.md").read_text("utf-8")
HUBSPOT = (ROOT / "docs/hubspot.md").read_text("utf-8")
EXAMPLE = (ROOT / "config.example.yaml").read_text("utf-8")
EVERYTHING = "\n".join(page.read_text("utf-8") for page in PAGES)
SECRETS = {
    "CARECYCLE_WEBHOOK_SECRET": "whsec_c3VucmlzZSBpcyBvbmx5IGEgdHJpYWwh",
    "SALESFORCE_CLIENT_ID": "careCycle.connector",
    "SALESFORCE_CLIENT_SECRET": "sandbox-client-secret",
    "SALESFORCE_SESSION": "00D000000000000",
    "SALESFORCE_PASSWORD": "sandbox-password",
    "SALESFORCE_SECURITY_TOKEN": "aSecurityToken",
    "HUBSPOT_ACCESS_TOKEN": "pat-na1-sandbox",
}


class Block(NamedTuple):
    """A fenced block and the comment that says what it is for."""

    page: str
    purpose: str
    about: str
    tag: str
    text: str


_BLOCK = re.compile(
    r"(?:^<!-- (by hand|file|run|output|fields|wrong|findings|wish)(?: ([^\n]+))? -->\n)?^```(\w*)\n(.*?)^```$",
    re.M | re.S,
)


def blocks(page: Path) -> list[Block]:
    return [Block(page.name, *parts) for parts in _BLOCK.findall(page.read_text("utf-8"))]


ALL = [block for page in PAGES for block in blocks(page)]


def of(purpose: str) -> list[Block]:
    return [block for block in ALL if block.purpose == purpose]


def folder_of(page: str, folder: Path) -> Path:
    """A folder with the files a page tells its reader to make."""
    (folder / "mappings").symlink_to(ROOT / "mappings")
    for block in of("file"):
        if block.page == page:
            path = folder / block.about
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, "utf-8")
    return folder


def source(*parts: str) -> str:
    """The code of the connector, as text."""
    files = sorted(path for part in parts for path in (ROOT / "connector").glob(part))
    return "\n".join(path.read_text("utf-8") for path in files)


def rows(page: str, pattern: str) -> list[tuple[str, ...]]:
    return re.findall(pattern, page, re.M)


def test_every_picture_is_shown_and_none_is_missing() -> None:
    shown = {name.rpartition("/")[2] for name in re.findall(r"!\[[^\]]+\]\((?:docs/)?images/([^)]+)\)", EVERYTHING)}
    assert shown == {path.name for path in (ROOT / "docs/images").iterdir()}


class TestExamples:
    def test_every_shell_and_yaml_block_says_what_it_is_for(self) -> None:
        assert [block for block in ALL if block.tag in ("sh", "yaml", "json") and not block.purpose] == []

    @pytest.mark.parametrize("page", ["README.md", "mapping.md"])
    def test_the_commands_run_and_print_what_the_page_shows(self, page: str, tmp_path: Path) -> None:
        folder = folder_of(page, tmp_path)
        environment = {**os.environ, **SECRETS, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        own = [block for block in ALL if block.page == page]
        ran = [number for number, block in enumerate(own) if block.purpose == "run"]
        assert ran
        for number in ran:
            command = ["sh", "-ec", own[number].text]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            if own[number + 1].purpose == "output":
                assert done.stdout == own[number + 1].text

    @pytest.mark.parametrize("block", [b for b in of("file") if b.text.startswith("version:")], ids=lambda b: b.about)
    def test_a_whole_mapping_checks_clean_and_passes_its_tests(self, block: Block, tmp_path: Path) -> None:
        folder = folder_of(block.page, tmp_path)
        loaded = mapping.load(folder / block.about, shipped=mapping.shipped_folder(), crms=VENDORS)
        assert [str(one) for one in loaded.diagnostics if one.code != "M161"] == []
        assert loaded.mapping is not None
        assert mapping.failures(mapping.run_examples(loaded.mapping)) == []

    @pytest.mark.parametrize("block", of("fields"), ids=lambda b: b.about)
    def test_each_field_sends_what_its_comment_says(self, block: Block, tmp_path: Path) -> None:
        path = tmp_path / "fields.yaml"
        path.write_text(one_record(block), "utf-8")
        loaded = mapping.load(path, shipped=mapping.shipped_folder(), crms=VENDORS)
        assert loaded.mapping is not None, mapping.render(loaded.diagnostics, loaded.texts)
        assert mapping.failures(mapping.run_examples(loaded.mapping)) == []

    @pytest.mark.parametrize("wrong", of("wrong"), ids=lambda b: b.about)
    def test_a_wrong_mapping_is_found_out_as_shown(
        self, wrong: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path(wrong.about).write_text(wrong.text, "utf-8")
        loaded = mapping.load(Path(wrong.about), shipped=mapping.shipped_folder(), crms=VENDORS)
        shown = ALL[ALL.index(wrong) + 1]
        assert shown.purpose == "findings"
        assert mapping.render(loaded.diagnostics, loaded.texts) + "\n" == shown.text

    def test_the_event_of_the_readme_is_one_that_could_come(self) -> None:
        (event,) = (block for block in of("file") if block.about == "event.json")
        payload = json.loads(event.text)
        assert recognise.read(payload, "event.json") is not None

    def test_the_two_commands_of_a_newcomer_are_in_the_makefile(self) -> None:
        makefile = (ROOT / "Makefile").read_text("utf-8")
        asked = re.findall(r"^make (\w+)$", README, re.M)
        assert asked == ["demo", "test"]
        assert all(re.search(rf"^{target}:", makefile, re.M) for target in asked)


def one_record(block: Block) -> str:
    """A mapping around some fields, with a test that expects what the comment behind each promises."""
    event, _, given = block.about.partition(" ")
    promised = rows(block.text, r"^(\w+):.*# -> (.+)$")
    assert len(promised) == len(re.findall(r"^\w", block.text, re.M))  # no field without its promise
    unsent = ", ".join(name for name, value in promised if value == "(not sent)")
    sent = "\n".join(f"          {name}: {value}" for name, value in promised if value != "(not sent)")
    fields = block.text.replace("\n", "\n      ")
    return f"""\
version: 1
crm: salesforce
consent: {{ waive: [{", ".join(catalogue.FLAGS)}] }}
records:
  person: {{ object: Person, key: {{ Key__c: customer.id }}, fields: {{ Name: customer.lastName }} }}
  example:
    object: Example
    events: [{event}]
    key: {{ Key__c: event.type }}
    fields:
      {fields}
tests:
  - name: what the page promises
    event: {event}
    given: {given or "{}"}
    expect:
        example:
          without: [{unsent}]
{sent}
"""


class TestConfigExample:
    def test_it_loads(self) -> None:
        (agency,) = read_agencies([ROOT / "config.example.yaml"], SECRETS)
        assert [type(one.auth).__name__ for one in agency.settings.destinations.values()] == [
            "ClientCredentials",
            "HubSpotAuth",
        ]

    def test_each_way_to_log_in_that_it_offers_loads(self, tmp_path: Path) -> None:
        key = rsa.generate_private_key(65537, 2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "salesforce.key").write_bytes(pem)
        offered = re.findall(r"^ +# (auth: .*)$", EXAMPLE, re.M)
        assert len(offered) == 3
        for auth in offered:
            text = re.sub(r"^    auth:.*\n(?:      .*\n)+", f"    {auth}\n", EXAMPLE, count=1, flags=re.M)
            (tmp_path / "agency.yaml").write_text(text, "utf-8")
            assert read_agencies([tmp_path / "agency.yaml"], SECRETS)

    def test_each_optional_line_may_be_switched_on(self, tmp_path: Path) -> None:
        text = re.sub(r"^( +)# (?=(?:api_version|search_lag|endpoint|salesforce): |- \$)", r"\1", EXAMPLE, flags=re.M)
        (tmp_path / "agency.yaml").write_text(text, "utf-8")
        (agency,) = read_agencies([tmp_path / "agency.yaml"], {**SECRETS, "CARECYCLE_OLD_SECRET": "whsec_b2xk"})
        assert [one.endpoint is not None for one in agency.settings.destinations.values()] == [True, True]

    def test_the_alarms_may_be_switched_on(self, tmp_path: Path) -> None:
        (section,) = re.findall(r"^# alarms:\n(?:#   .*\n)+", EXAMPLE, re.M)
        text = re.sub(r"^( +)# (renew_by: )", r"\1\2", EXAMPLE, flags=re.M)
        text = text.replace(section, re.sub(r"^# ", "", section, flags=re.M))
        (tmp_path / "agency.yaml").write_text(text, "utf-8")
        addresses = {"ALARM_WEBHOOK": "https://chat.example/T0", "HEARTBEAT_URL": "https://beat.example/0"}
        secrets = {**SECRETS, **addresses, "SMTP_PASSWORD": "a password of the tests"}
        command = [str(Path(sys.executable).parent / "connector"), "check", "-c", "agency.yaml", "--json"]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **secrets}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        (agency,) = read_agencies([tmp_path / "agency.yaml"], secrets)
        assert (agency.settings.alarms.every, agency.settings.alarms.mail is not None) == (60, True)
        assert agency.settings.destinations["salesforce"].renew_by is not None

    def test_it_names_every_key_there_is(self) -> None:
        keys = {
            key
            for model in [AgencySettings, *(vendor.settings for vendor in VENDORS.values())]
            for key in keys_of(model)
        }
        assert {key for key in keys if not re.search(rf"\b{key}:", EXAMPLE)} == set()


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """The keys of a model and of every model inside it."""
    for name, declared in model.model_fields.items():
        yield name
        for inner in models_in(declared.annotation):
            yield from keys_of(inner)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def commands() -> dict[str, click.Command]:
    """Every command that can be run, by its full name."""
    found: dict[str, click.Command] = {}
    for name, (module, _) in cli._COMMANDS.items():
        command = getattr(importlib.import_module(f"connector.cli.{module}"), name.replace("map", "map_"))
        found |= runnable(f"connector {name}", command)
    return found


def runnable(name: str, command: click.Command) -> dict[str, click.Command]:
    inner = command.commands if isinstance(command, click.Group) else {}
    found = {name: command} if not inner or getattr(command, "invoke_without_command", False) else {}
    for below, one in inner.items():
        found |= runnable(f"{name} {below}", one)
    return found


def options(command: click.Command) -> set[str]:
    return {word for one in command.params if isinstance(one, click.Option) for word in one.opts}


class TestCommands:
    def test_the_readme_s_table_holds_every_command_with_its_options_and_no_other(self) -> None:
        told = {
            name: set(re.findall(r"`(-[\w-]+)`", written))
            for name, written in rows(README, r"^\| `(connector [a-z -]+)` \| ([^|]*)\|")
        }
        assert told == {name: options(command) for name, command in commands().items()}

    def test_every_command_shown_anywhere_exists(self) -> None:
        known = commands()
        used = re.findall(r"(?:^|`)(connector(?: [a-z][a-z-]*)+)", EVERYTHING, re.M)
        assert {one for one in used if not any(f"{one} ".startswith(f"{name} ") for name in known)} <= {
            "connector audit",
            "connector events",
            "connector lanes",
        }

    def test_every_option_shown_in_an_example_exists(self) -> None:
        known = {option for command in commands().values() for option in options(command)} | {"--help", "--version"}
        lines = [line for block in ALL if block.tag == "sh" for line in block.text.splitlines()]
        used = {
            word for line in lines if line.startswith("connector") for word in re.findall(r" (--?[a-z][\w-]*)", line)
        }
        assert used <= known


def subclasses(kind: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from subclasses(below)


class TestNames:
    def test_every_environment_variable_is_explained_and_no_other(self) -> None:
        pattern = r"\b(CONNECTOR_[A-Z_]*[A-Z]|PROMETHEUS_MULTIPROC_DIR|CARECYCLE_[A-Z_]+|OTEL_[A-Z_]+)\b"
        told = set(re.findall(r"^\| `([A-Z]+_[A-Z_]+)` \|", README, re.M))
        assert told == set(re.findall(pattern, source("**/*.py")))

    def test_every_default_of_the_environment_is_told(self) -> None:
        process = read_process({})
        told = {row[0]: row[1] for row in rows(README, r"^\| `CONNECTOR_(\w+)` \| `([^`]+)` \|")}
        assert process.admin_listen is not None
        assert told == {
            "DATABASE_URL": process.database_url,
            "LISTEN": "{}:{}".format(*process.listen),
            "ADMIN_LISTEN": "{}:{}".format(*process.admin_listen),
            "LOG_LEVEL": process.log_level,
            "INBOX_LIMIT": str(process.inbox_limit),
            "LEASE_SECONDS": str(process.lease_seconds),
            "WORKER_LANES": str(process.worker_lanes),
            "OUTAGE_SECONDS": str(process.outage_seconds),
        }

    def test_the_limits_of_the_door_are_told(self) -> None:
        limits = Limits()
        assert f"over {limits.body // 2**20} MiB" in README
        assert f"within {limits.seconds:.0f} seconds" in README

    def test_every_metric_is_explained_and_no_other(self) -> None:
        told = set(re.findall(r"^\| `(connector_\w+)` \|", README, re.M))
        gauges = source("telemetry/*.py", "web/health.py", "web/compared.py")
        assert told == set(re.findall(r'"(connector_\w+)"', gauges))

    def test_every_metric_named_elsewhere_exists(self) -> None:
        known = set(re.findall(r"^\| `(connector_\w+)` \|", README, re.M))
        assert set(re.findall(r"`(connector_\w+)", EVERYTHING)) <= known

    def test_every_error_code_is_explained_and_no_other(self) -> None:
        told = set(re.findall(r"^\| `(E\d{3})` \|", README, re.M))
        assert told == {kind.code for kind in subclasses(ConnectorError) if kind is not ConnectorError}

    def test_every_page_of_the_admin_port_is_named(self) -> None:
        pages = set(re.findall(r'@app\.get\("(/\w+)"\)', source("web/health.py"))) | {"/console"}
        assert pages == set(re.findall(r"^\| `(/\w+)` \|", README, re.M))

    def test_every_shipped_mapping_is_named(self) -> None:
        shipped = {path.stem for path in (ROOT / "mappings").glob("*.yaml")}
        assert {name for name in shipped if f"`{name}`" not in LANGUAGE or name not in EXAMPLE} == set()


class TestLanguage:
    def test_every_check_is_explained_and_no_other(self) -> None:
        told = set(re.findall(r"^\| `([MYT]\d{3})` \|", LANGUAGE, re.M))
        assert told == set(re.findall(r'"([MYT]\d{3})"', source("mapping/*.py")))

    def test_every_format_is_explained_and_shown(self) -> None:
        table = LANGUAGE.partition("### Formats")[2].partition("### Health")[0]
        assert {name for name in FORMATS if f"`{name}" not in table} == set()

    @pytest.mark.parametrize(
        "words",
        [
            SOURCES,
            OPERATORS,
            [*Rule],
            [*Mode],
            *(
                [declared.alias or name for name, declared in block.model_fields.items()]
                for block in (File, Record, MappedField, Consent)
            ),
        ],
        ids=["sources", "operators", "write rules", "modes", "file", "record", "field", "consent"],
    )
    def test_every_word_is_written(self, words: Any) -> None:
        assert {word for word in words if not re.search(rf"`{word}[`:]|[{{ ]{word}: ", LANGUAGE)} == set()

    def test_the_parts_made_from_the_code_are_fresh(self) -> None:
        assert LANGUAGE.count("<!-- generated: ") == 2
        assert put_in_place(LANGUAGE) == LANGUAGE, "python -m connector.mapping.reference docs/mapping.md"


def rows_of_codes(table: str) -> list[tuple[str, ...]]:
    """Of each row: the codes, the pause reason where there is one, the cause and the action."""
    found = rows(table, r"^\| ((?:`[A-Z_0-9]+`(?:, )?)+) \|(?: `([a-z]+)` \|)? ([^|]+) \| ([^|]+) \|$")
    return [(codes.replace("`", "").replace(", ", " "), *others) for codes, *others in found]


ELSE = {"invalid_grant": "anything else"}
ACTION = re.compile(
    r"(add|allow|change|check|correct|create|discard|do|exempt|find|finish|fix|free|give|look|make|map|merge|open|opt|raise|"
    r"remove|renew|replay|report|restore|select|use|wait|activate)\b"
)


class TestDeadLetters:
    def test_every_refusal_of_salesforce_is_explained_as_the_rules_have_it_and_no_other(self) -> None:
        pausing = (Kind.UNUSABLE, Kind.OUTAGE, Kind.SESSION)
        ours = [
            (
                (rule.codes, rule.reason or "", rule.cause.replace("{fields}", "the field"), rule.action),
                rule.kind,
            )
            for rule in RULES
        ]
        told = {heading: rows_of_codes(text) for heading, text in rows(SALESFORCE, r"^### (.+)\n([^#]*)")}
        assert told["Errors that pause the lane"] == [row for row, kind in ours if kind in pausing]
        assert told["Errors that leave a field out"] == [row for row, kind in ours if kind is Kind.FIELDS]
        assert told["Errors that cause a dead letter"] == [
            row for row, kind in ours if kind in (Kind.REJECTED, Kind.ONCE_MORE)
        ]
        assert told["Errors that are retried"] == [row for row, kind in ours if kind not in (*pausing, *REJECTING)]

    def test_every_refused_login_of_salesforce_is_explained(self) -> None:
        table = SALESFORCE.partition("### Rejected logins")[2].partition("###")[0]
        told = rows(table, r"^\| `(\w+)` \| \*?([^|*]*?)\*? \| `(\w+)` \| ([^|]+) \| (\d) \|$")
        steps = VENDORS["salesforce"].setup
        assert told == [
            (row.error, row.says or ELSE.get(row.error, ""), row.reason, row.problem, str(steps.index(row.step) + 1))
            for row in REFUSALS
        ]

    def test_every_setting_of_salesforce_is_explained_with_its_default(self) -> None:
        told = dict(rows(SALESFORCE, r"^\| `salesforce\.(\w+)` \| `(\w+)` \|"))
        assert told == {k: str(v).lower() for k, v in SalesforceOptions().model_dump().items()}
        assert f"| `api_version` | `{VERSION}` |" in SALESFORCE

    def test_every_refusal_of_hubspot_is_explained_as_the_connector_words_it(self) -> None:
        told = rows(HUBSPOT, r"^\| `([A-Z_0-9]+)` \| ([^|]+?)(?: \(\*(?:waits|field)\*\))? \| ([^|]+) \|$")
        assert told == [
            (code, one.cause.replace("{fields}", "the property"), one.action) for code, one in PROBLEMS.items()
        ]

    def test_every_refusal_of_hubspot_that_passes_by_itself_is_marked(self) -> None:
        waits = {code for (code,) in ((one,) for one in rows(HUBSPOT, r"^\| `([A-Z_0-9]+)` \| [^|]+\(\*waits\*\) \|"))}
        assert waits == {code for code, problem in PROBLEMS.items() if problem.verdict == "deferred"}

    def test_every_refusal_of_hubspot_that_only_costs_a_property_is_marked(self) -> None:
        marked = {code for (code,) in ((one,) for one in rows(HUBSPOT, r"^\| `([A-Z_0-9]+)` \| [^|]+\(\*field\*\) \|"))}
        assert marked == {code for code, problem in PROBLEMS.items() if problem.of_fields}

    def test_every_trouble_of_a_hubspot_account_is_told_as_the_connector_words_it(self) -> None:
        told = {
            status: (reason, text)
            for status, reason, text in rows(HUBSPOT, r"^\| ([^|]+) \| `(\w+)` \| ([^|]+) \| [^|]+ \|$")
        }
        known = {str(status) if status else "no answer": one for status, one in TROUBLES.items() if status != 429}
        known |= {f"429 `{policy}`": one for policy, one in POLICIES.items()} | {"any other 5xx": SERVER}
        assert told == {status: (one.reason, one.problem) for status, one in known.items()}

    def test_every_scope_of_hubspot_is_told(self) -> None:
        told = set(re.findall(r"`((?:crm|communication_preferences)\.[\w.]+)`", HUBSPOT))
        assert told == SCOPES - {"crm.schemas.contacts.write"}

    def test_every_code_of_our_own_is_explained(self) -> None:
        ours = re.findall(
            r'Refusal(?:\.of)?\(\s*"([A-Z_]+)"', source("delivery/*.py", "settlement/*.py", "destinations/**/*.py")
        )
        assert {"AMBIGUOUS", "UNKNOWN_TYPE", "NOT_A_NUMBER", "LOST"} <= set(ours)
        assert {code for code in ours if f"`{code}`" not in OPERATING + SALESFORCE + HUBSPOT} == set()

    def test_every_reason_a_lane_pauses_for_is_explained(self) -> None:
        names = {
            reason.value for reason in PauseReason if reason is not PauseReason.REFUSED
        }  # told by the refusal's code
        assert {name for name in names if f"`{name}`" not in OPERATING} == set()

    def test_every_refusal_has_an_action(self) -> None:
        causes = [(one.cause, one.action) for one in (*RULES, *PROBLEMS.values(), UNKNOWN, OTHER)]
        assert [cause for cause, action in causes if not ACTION.match(action)] == []


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_every_internal_link_leads_somewhere(self, page: Path) -> None:
        links = re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8"))
        assert [link for link in links if not leads(page, link)] == []

    def test_every_path_in_the_design_exists(self) -> None:
        paths = re.findall(r"`(connector/[\w./]*)`", EVERYTHING)
        assert paths
        assert [path for path in paths if not (ROOT / path).exists()] == []

    def test_every_module_has_its_place_in_the_design(self) -> None:
        design = (ROOT / "docs/design.md").read_text("utf-8")
        own = [
            path
            for path in (ROOT / "connector").glob("[a-z]*")
            if path.suffix == ".py" or (path / "__init__.py").exists()
        ]
        names = [f"`connector/{path.name}{'/' if path.is_dir() else ''}`" for path in own]
        assert [name for name in names if name not in design] == []


def leads(page: Path, link: str) -> bool:
    """Whether a link's file exists, and in it the heading it names."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.M)
    return anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


_NAMED = ast.ClassDef | ast.FunctionDef


class TestTheSecurityStandard:
    """docs/asvs.md: the requirements of a standard, and what shows each."""

    PAGE = (ROOT / "docs/asvs.md").read_text("utf-8")
    ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| .* \| (holds|partly|no) \| (.*) \|$", PAGE, re.M)

    @pytest.mark.slow
    def test_each_test_that_it_names_exists(self) -> None:
        named = [named for *_, shown in self.ROWS for named in re.findall(r"`([\w/]+\.py[\w:]*)`", shown)]
        assert named
        assert [name for name in named if not self._exists(*name.split("::"))] == []

    def _exists(self, file: str, *names: str) -> bool:
        path = ROOT / "tests" / file
        inside = ast.parse(path.read_text("utf-8")).body if path.exists() else None
        for name in names:
            inside = next((node.body for node in inside or () if isinstance(node, _NAMED) and node.name == name), None)
        return inside is not None

    def test_what_holds_names_a_test_and_what_does_not_has_a_reason(self) -> None:
        reasons = self.PAGE.partition("## What holds in part")[2].partition("## What does not apply")[0]
        explained = {item for cell in re.findall(r"^\| ([\d., ]+) \|", reasons, re.M) for item in cell.split(", ")}
        assert {item for item, state, _ in self.ROWS if state != "holds"} == explained
        assert [item for item, state, shown in self.ROWS if state == "holds" and ".py" not in shown] == []

    def test_its_figures_add_up(self) -> None:
        count = Counter(state for _, state, _ in self.ROWS)
        parts = f"{count['holds']} hold, {count['partly']} hold in part, {count['no']} do not"
        assert f"**{len(self.ROWS)} apply: {parts}.**" in self.PAGE
        assert count["holds"] >= 50


class TestSetup:
    @pytest.mark.parametrize("name", VENDORS)
    def test_the_page_has_the_steps_of_the_command_in_order_click_by_click(self, name: str) -> None:
        page = (ROOT / f"docs/{name}.md").read_text("utf-8")
        told = rows(page, r"^### (\d+\. .+)\n([^#]*)")
        steps = VENDORS[name].setup
        assert [heading for heading, _ in told] == [f"{n}. {step.title}" for n, step in enumerate(steps, 1)]
        for (_, text), step in zip(told, steps, strict=True):
            assert step.click in " ".join(re.sub(r"\*\*|`", "", text).split())
