"""Send alarms to people: by a webhook that chat programs understand, or by mail."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from io import BufferedReader

import requests

from connector.destinations import deadline
from connector.destinations.deadline import SHORT, Limits, TooLarge, Wire
from connector.errors import AlarmNotSent


@dataclass(frozen=True, slots=True)
class Mail:
    """Where mail goes and who sends it. security: starttls, tls or none."""

    to: Sequence[str]
    sender: str
    host: str
    port: int
    security: str = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)


def post(url: str, subject: str, body: str, limits: Limits = SHORT) -> None:
    """POST {"text": ...}, which Slack, Teams and Mattermost accept. Raises AlarmNotSent."""
    try:
        with deadline.session(limits) as session:
            answer = session.post(url, json={"text": f"{subject}\n\n{body}"}, allow_redirects=False)
    except requests.RequestException as error:
        raise AlarmNotSent("alarms.webhook", _silent(error)) from None
    if not answer.ok or answer.is_redirect:
        raise AlarmNotSent("alarms.webhook", f"answered {answer.status_code}", "is the address still good?")


def ping(url: str, limits: Limits = SHORT) -> None:
    """Tell a monitoring service that all is well: a GET that carries nothing. Raises AlarmNotSent."""
    try:
        with deadline.session(limits) as session:
            answer = session.get(url, allow_redirects=False)
    except requests.RequestException as error:
        raise AlarmNotSent("alarms.heartbeat", _silent(error)) from None
    if not answer.ok or answer.is_redirect:
        raise AlarmNotSent("alarms.heartbeat", f"answered {answer.status_code}", "is the address still good?")


def _silent(error: Exception) -> str:
    return f"does not answer: {deadline.broken_limit(error) or type(error).__name__}"


def send(mail: Mail, subject: str, body: str, limits: Limits = SHORT) -> None:
    """Send one mail. Raises AlarmNotSent."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, mail.sender, ", ".join(mail.to)
    message.set_content(body)
    wire = Wire()
    try:
        deadline.within(limits.total, wire, lambda: _deliver(mail, message, wire, limits))
    except (smtplib.SMTPException, OSError) as error:
        why = deadline.broken_limit(error) or type(error).__name__
        raise AlarmNotSent("alarms.mail", f"{mail.host}:{mail.port} did not accept it: {why}") from None


def _deliver(mail: Mail, message: EmailMessage, wire: Wire, limits: Limits) -> None:
    with _connected(mail, wire, limits) as server:
        if mail.username:
            server.login(mail.username, mail.password)
        server.send_message(message)


def _connected(mail: Mail, wire: Wire, limits: Limits) -> smtplib.SMTP:
    if mail.security == "tls":
        return _TlsMailServer(wire, limits, mail.host, mail.port)
    server = _MailServer(wire, limits, mail.host, mail.port)
    if mail.security == "starttls":
        try:
            server.starttls()
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
    return server


class _MailServer(smtplib.SMTP):
    """A mail server whose replies are read within limits."""

    def __init__(self, wire: Wire, limits: Limits, host: str, port: int) -> None:
        self._wire, self._size = wire, limits.size
        super().__init__(host, port, timeout=limits.read)

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply of one or more lines."""
        self._wire.use(self.sock)
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock.makefile("rb"), self._size)
        return super().getreply()


class _TlsMailServer(_MailServer, smtplib.SMTP_SSL): ...


class _Lines:
    """The lines of a mail server, up to a number of bytes. Raises TooLarge beyond."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self._file, self._size, self._read = file, size, 0
        self.close = file.close

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self._read += len(line)
        if self._read > self._size:
            raise TooLarge(self._size)
        return line
