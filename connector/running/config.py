"""The agency file and the process's environment, as frozen models. The file refers to secrets and holds none."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from connector.destinations import outgoing, read_settings
from connector.destinations.settings import DestinationSettings
from connector.errors import FixConfiguration
from connector.mapping import source
from connector.mapping.diagnostics import Report
from connector.mapping.regular import NotRegularError, is_within, read_file
from connector.mapping.secrecy import like_a_secret, masked
from connector.mapping.tree import Node
from connector.running.secret_files import FOLDER, read_secret
from connector.running.settings_hidden import without
from connector.running.settings_problems import (
    REFERENCE,
    name_in_braces,
    not_a_reference,
    problems_of,
    secrets_in_the_file,
    told_of_yaml,
    where,
)
from connector.source.settings import CareCycleSettings
from connector.store.dialect import embedded_folder, parse_url, with_password
from connector.web.openid_settings import OpenId, read_openid

_NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_LARGEST_SECRET: Final = 64 * 1024
_MAPPING_KEYS: Final = ("crm", "extends", "records")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Webhook(_Frozen):
    """How careCycle's messages are verified."""

    secrets: tuple[SecretStr, ...] = Field(min_length=1, description="signing secrets, the newest first")


Destination = Annotated[DestinationSettings, BeforeValidator(read_settings)]


class Retention(_Frozen):
    """How long payloads are kept, in days."""

    payloads: int = Field(30, ge=1, description="after the day the event arrived")
    dead_letters: int = Field(90, ge=1, description="then a dead letter is given up")
    undo: int = Field(7, ge=0, le=90, description="what the CRM had before a mapping's first write; 0: not kept")


class MailSettings(_Frozen):
    """How alarms are sent by mail."""

    to: tuple[str, ...] = Field(min_length=1, description="recipients")
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="the sender's address")
    server: str = Field(pattern=r"^[^:/\s]+:\d{1,5}$", description="the mail server, as host:port")
    insecure: bool = Field(False, description="true: another machine without encryption or a valid certificate")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="how the connection is encrypted")
    username: str = Field("", description="left out: no login")
    password: SecretStr = SecretStr("")

    @field_validator("server")
    @classmethod
    def _may_be_sent_to(cls, server: str) -> str:
        if problem := outgoing.of_host(server.partition(":")[0]):
            raise ValueError(problem)
        return server

    @field_validator("security")
    @classmethod
    def _is_encrypted(cls, security: str, info: ValidationInfo) -> str:
        is_here = outgoing.is_here(info.data.get("server", "localhost").partition(":")[0])
        if security == "none" and not (is_here or info.data.get("insecure", True)):
            raise ValueError(f"must be starttls or tls for another machine. {outgoing.INSECURE}")
        return security


class Alarms(_Frozen):
    """Where alarms are sent."""

    insecure: bool = Field(False, description="true: webhook and heartbeat may be other machines without encryption")
    webhook: SecretStr | None = Field(None, description="receives {text: ...} by POST: Slack, Teams, Mattermost")
    mail: MailSettings | None = None
    heartbeat: SecretStr | None = Field(None, description="an address that gets a GET each minute while all is well")
    every: int = Field(60, ge=1, le=1440, description="minutes before the same alarm is sent again")
    backup_days: int = Field(0, ge=0, le=365, description="days without a backup that is noted; 0: no alarm")

    @field_validator("webhook", "heartbeat")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        address = url.get_secret_value() if url else ""
        if address and not re.match(r"https?://[^/\s]+", address):
            raise ValueError("must be an address that begins with https://")
        if address and (problem := outgoing.refusal(address, insecure=info.data.get("insecure", True))):
            raise ValueError(problem)
        return url


class AgencySettings(_Frozen):
    """One agency's file."""

    agency: str = Field(pattern=_NAME, description="the name in the webhook's address: /hooks/<agency>")
    webhook: Webhook
    destinations: dict[Annotated[str, Field(pattern=_NAME)], Destination] = Field(min_length=1)
    carecycle: CareCycleSettings | None = Field(None, description="careCycle's REST API; left out: it is not asked")
    timezone: str = Field("America/New_York", description="for customers whose own time zone is unknown")
    retention: Retention = Retention()
    alarms: Alarms = Alarms()
    reveal_values: bool = Field(False, description="whether operators may reveal one event's values, giving a reason")

    @field_validator("agency", "destinations")
    @classmethod
    def _is_no_secret(cls, named: Any) -> Any:
        """These names are in addresses, logs and metrics."""
        if any(like_a_secret(name) for name in ([named] if isinstance(named, str) else named)):
            raise ValueError("must be a name, and this looks like a secret: it would be in addresses and logs")
        return named

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo("" if name == "EST" else name)  # it has no summer time, though people mean a zone that has
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be an IANA time zone, for example America/Phoenix") from None
        return name


class AgencyFile(_Frozen):
    """One agency's settings and the file they came from."""

    path: Path
    settings: AgencySettings


class Process(_Frozen):
    """This process's settings, from the environment."""

    database_url: str
    listen: tuple[str, int]
    admin_listen: tuple[str, int] | None
    console_password_hash: str | None = Field(repr=False)
    console_viewer_password_hash: str | None = Field(repr=False)
    console_people: Path | None = None
    admin_hosts: str = ""
    console_url: str = ""
    console_proxies: str = ""
    console_openid: OpenId = OpenId()
    log_level: str
    inbox_limit: int
    lease_seconds: int
    worker_lanes: int
    accept_data_loss: bool = False
    allow_failing_tests: bool = False
    outage_seconds: int = 60


def read_process(environment: Mapping[str, str]) -> Process:
    """Read the process's settings from its environment. Raises FixConfiguration."""
    _check_traces(environment)
    level = environment.get("CONNECTOR_LOG_LEVEL", "info")
    if level not in ("debug", "info", "warning", "error"):
        raise FixConfiguration("CONNECTOR_LOG_LEVEL", "must be debug, info, warning or error")
    admin = environment.get("CONNECTOR_ADMIN_LISTEN", "127.0.0.1:8081")
    database_url = with_password(
        environment.get("CONNECTOR_DATABASE_URL", "sqlite:///data/connector.db"),
        read_secret(environment, "CONNECTOR_DATABASE_PASSWORD"),
    )
    return Process(
        database_url=database_url,
        listen=_address("CONNECTOR_LISTEN", environment.get("CONNECTOR_LISTEN", "0.0.0.0:8080")),  # public by design
        admin_listen=None if admin == "off" else _address("CONNECTOR_ADMIN_LISTEN", admin),
        console_password_hash=read_secret(environment, "CONNECTOR_CONSOLE_PASSWORD_HASH"),
        console_viewer_password_hash=read_secret(environment, "CONNECTOR_CONSOLE_VIEWER_PASSWORD_HASH"),
        console_people=_people_file(environment, database_url),
        admin_hosts=environment.get("CONNECTOR_ADMIN_HOSTS", ""),
        console_url=environment.get("CONNECTOR_CONSOLE_URL", ""),
        console_proxies=environment.get("CONNECTOR_CONSOLE_PROXIES", ""),
        console_openid=read_openid(environment),
        log_level=level,
        inbox_limit=_number("CONNECTOR_INBOX_LIMIT", environment, 1_000_000, range(1, 10**12)),
        lease_seconds=_number("CONNECTOR_LEASE_SECONDS", environment, 15, range(2, 301)),
        worker_lanes=_number("CONNECTOR_WORKER_LANES", environment, 64, range(1, 1001)),
        accept_data_loss=_yes("CONNECTOR_ACCEPT_DATA_LOSS", environment),
        allow_failing_tests=_yes("CONNECTOR_ALLOW_FAILING_TESTS", environment),
        outage_seconds=_number("CONNECTOR_OUTAGE_SECONDS", environment, 60, range(1, 3601)),
    )


def _check_traces(environment: Mapping[str, str]) -> None:
    """Refuse to send spans unencrypted to another machine. Raises FixConfiguration."""
    insecure = environment.get("OTEL_EXPORTER_OTLP_INSECURE", "").lower() == "true"
    for setting in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        address = environment.get(setting, "")
        if address and (problem := outgoing.refusal(address, insecure=insecure)):
            hint = "set OTEL_EXPORTER_OTLP_INSECURE=true"
            raise FixConfiguration(setting, problem.replace("write  insecure: true  beside it", hint))


def _people_file(environment: Mapping[str, str], database_url: str) -> Path | None:
    """The file of the console's people: the one that is set, or beside an embedded database."""
    if named := environment.get("CONNECTOR_CONSOLE_PEOPLE"):
        return Path(named)
    folder = embedded_folder(parse_url(database_url))
    return folder / "console-people.yaml" if folder else None


def _yes(setting: str, environment: Mapping[str, str]) -> bool:
    text = environment.get(setting) or "no"
    if text not in ("yes", "no"):
        raise FixConfiguration(setting, "must be yes or no")
    return text == "yes"


def _number(setting: str, environment: Mapping[str, str], default: int, allowed: range) -> int:
    text = environment.get(setting) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) not in allowed:
        raise FixConfiguration(setting, f"must be a number from {allowed.start} to {allowed.stop - 1}")
    return int(text)


def _address(setting: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise FixConfiguration(setting, "must be host:port, for example 127.0.0.1:8081")
    return host.strip("[]"), int(port)


def read_agencies(paths: Sequence[Path], environment: Mapping[str, str] = os.environ) -> list[AgencyFile]:
    """Read the agency files named, and those in the folders named. Raises FixConfiguration with every problem."""
    agencies, problems = [], []
    for file in agency_files(paths):
        try:
            agencies.append(AgencyFile(path=file, settings=_read_one(file, environment)))
        except FixConfiguration as error:
            problems.append(str(error))
    problems += _repeated(agencies)
    if problems:
        raise FixConfiguration("configuration", "\n".join(["cannot be used:", *problems]))
    return agencies


def _repeated(agencies: Sequence[AgencyFile]) -> list[str]:
    """The problem of each agency that several files describe."""
    times = Counter(file.settings.agency for file in agencies)
    return [f"agency {name!r} is in more than one file" for name, count in sorted(times.items()) if count > 1]


def agency_files(paths: Sequence[Path]) -> list[Path]:
    """List the agency files named, and those of the folders named, leaving out the mappings beside them.

    Raises FixConfiguration if there are none.
    """
    files = [file for path in paths for file in (_files_of(path) if path.is_dir() else [path])]
    if not files:
        raise FixConfiguration(", ".join(map(str, paths)) or "-c", "names no agency file", "-c agency.yaml")
    return files


def _files_of(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.y*ml"))
    for file in files:
        if not is_within(file, folder):
            raise FixConfiguration(str(file), "is not read: a link leads out of the folder", f"name it:  -c {file}")
    return [file for file in files if not _is_mapping(file)]


def _is_mapping(file: Path) -> bool:
    try:
        _, tree = source.read(read_file(file, source.MAX_BYTES + 1), str(file), Report())
    except OSError:
        return False  # reported when it is read as an agency file
    return tree is not None and tree.get("agency") is None and any(tree.get(key) for key in _MAPPING_KEYS)


def _read_one(file: Path, environment: Mapping[str, str]) -> AgencySettings:
    tree, problems = read_tree(file), list[str]()
    content = Secrets(file, environment, problems).resolve(tree)
    if problems:
        raise unusable(file, problems, tree)
    return validated(file, tree, content)


def read_tree(file: Path) -> Node:
    """Read a file without what it refers to. Raises FixConfiguration."""
    try:
        data = read_file(file, source.MAX_BYTES + 1)
    except OSError as error:
        raise FixConfiguration(str(file), f"cannot be read: {error.strerror}") from None
    report = Report()
    _, tree = source.read(data, str(file), report)
    problems = [told_of_yaml(problem, AgencySettings) for problem in report.sorted([str(file)])]
    if tree is None or problems:
        raise unusable(file, problems)
    return tree


def validated(file: Path, tree: Node, content: Any) -> AgencySettings:
    """The settings, or FixConfiguration with each problem at its place in the tree."""
    try:
        settings = AgencySettings.model_validate(content)
    except ValidationError as error:
        raise unusable(file, problems_of(error.errors(), tree, AgencySettings), tree) from None
    endpoints = [own.endpoint or "" for own in settings.destinations.values()]
    endpoints.append(settings.carecycle.endpoint if settings.carecycle else "")
    is_trial = any(map(outgoing.is_plainly_here, endpoints))  # a sandbox's tokens are no secrets
    if not is_trial and (problems := secrets_in_the_file(settings, tree)):
        raise unusable(file, problems, tree)
    return settings


def unusable(file: Path, problems: Sequence[str], tree: Node | None = None) -> FixConfiguration:
    """The error of a file with these problems. What may be a secret in it is not repeated, wherever it is."""
    shown = [without(problem, tree) if tree else masked(problem) for problem in problems]
    return FixConfiguration(str(file), "\n".join(["cannot be used:", *shown]))


class Secrets:
    """Replaces `${NAME}` and `file:path` with the values they refer to, and reports every one that is missing."""

    def __init__(self, file: Path, environment: Mapping[str, str], problems: list[str]) -> None:
        self._folder, self._environment, self._problems = file.parent, environment, problems

    def resolve(self, node: Node) -> Any:
        """The tree as plain values."""
        match node.value:
            case dict() if problem := name_in_braces(node):
                self._missing(node, problem)
                return None
            case dict() as entries:
                return {key: self.resolve(value) for key, (_, value) in entries.items()}
            case list() as items:
                return [self.resolve(item) for item in items]
            case str() as text if reference := REFERENCE.match(text):
                return self._from_environment(node, reference[1])
            case str() as text if problem := not_a_reference(text):
                self._missing(node, problem)
                return None
            case str() as text if text.startswith("file:"):
                return self._from_file(node, self._folder / text.removeprefix("file:"))
            case value:
                return value

    def _from_environment(self, node: Node, name: str) -> str | None:
        try:
            value = read_secret(self._environment, name)
        except FixConfiguration as error:
            self._missing(node, str(error))
            return None
        if not value:
            folder = self._environment.get(FOLDER)
            place = f", and {folder} has no file {name}" if folder else ""
            self._missing(node, f"the environment variable {name} is not set{place}")
        return value

    def _from_file(self, node: Node, path: Path) -> str | None:
        try:
            return read_file(path, _LARGEST_SECRET).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, NotRegularError) else type(error).__name__
            self._missing(node, f"the file {path} cannot be read: {why}")
            return None

    def _missing(self, node: Node, problem: str) -> None:
        self._problems.append(f"{where(node.place)}: {problem}")
