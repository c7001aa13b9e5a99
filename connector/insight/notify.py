"""Send alarms to people: by a webhook that chat programs understand, or by mail."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from io import BufferedReader

import requests

from connector.destinations import deadline, outgoing
from connector.destinations.deadline import SHORT, Limits, TooLarge, Wire
from connector.errors import AlarmNotSent


@dataclass(frozen=True, slots=True)
class Mail:
    """Where mail goes and who sends it. security: starttls, tls or none.

    insecure: a server on another machine may be used without encryption, and without a certificate that can be checked.
    """

    to: Sequence[str]
    sender: str
    host: str
    port: int
    security: str = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    insecure: bool = False

    @property
    def is_trusted(self) -> bool:
        """Whether nobody can be in between."""
        return self.insecure or outgoing.is_here(self.host)


def post(url: str, subject: str, body: str, limits: Limits = SHORT, *, insecure: bool = False) -> None:
    """POST {"text": ...}, which Slack, Teams and Mattermost accept. Raises AlarmNotSent."""
    try:
        with deadline.session(limits, insecure=insecure) as session:
            answer = session.post(url, json={"text": f"{subject}\n\n{body}"}, allow_redirects=False)
    except requests.RequestException as error:
        raise AlarmNotSent("alarms.webhook", _silent(error)) from None
    if not answer.ok or answer.is_redirect:
        raise AlarmNotSent("alarms.webhook", f"answered {answer.status_code}", "is the address still good?")


def ping(url: str, limits: Limits = SHORT, *, insecure: bool = False) -> None:
    """Tell a monitoring service that all is well: a GET that carries nothing. Raises AlarmNotSent."""
    try:
        with deadline.session(limits, insecure=insecure) as session:
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
        raise AlarmNotSent("alarms.mail", f"{mail.host}:{mail.port} did not accept it: {_why(error)}") from None


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        trust = "SSL_CERT_FILE names a file of authorities to trust"
        return f"its certificate cannot be verified, for this host, by a known authority ({trust})"
    return deadline.broken_limit(error) or type(error).__name__


def _deliver(mail: Mail, message: EmailMessage, wire: Wire, limits: Limits) -> None:
    with _connected(mail, wire, limits) as server:
        if mail.username:
            server.login(mail.username, mail.password)
        server.send_message(message)


def _connected(mail: Mail, wire: Wire, limits: Limits) -> smtplib.SMTP:
    if mail.security == "tls":
        return _TlsMailServer(wire, limits, mail)
    server = _MailServer(wire, limits, mail)
    if mail.security == "starttls":
        try:
            server.starttls(context=_context(mail))
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
    return server


def _context(mail: Mail) -> ssl.SSLContext:
    """How the server proves who it is: by its certificate, unless nobody can be in between."""
    context = ssl.create_default_context()
    if mail.is_trusted:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class _MailServer(smtplib.SMTP):
    """A mail server whose replies are read within limits."""

    def __init__(self, wire: Wire, limits: Limits, mail: Mail) -> None:
        self._wire, self._size = wire, limits.size
        self._plain = mail.security == "none" and not mail.insecure
        super().__init__(mail.host, mail.port, timeout=limits.read)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        outgoing.check(host, port, plain=self._plain)
        made = socket.create_connection((host, port), timeout, self.source_address)
        outgoing.check_peer(made, plain=self._plain)
        return made

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply of one or more lines."""
        self._wire.use(self.sock)
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock.makefile("rb"), self._size)
        return super().getreply()


class _TlsMailServer(_MailServer):
    """One that speaks TLS from the first byte."""

    def __init__(self, wire: Wire, limits: Limits, mail: Mail) -> None:
        self._context = _context(mail)
        super().__init__(wire, limits, mail)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._context.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)


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
