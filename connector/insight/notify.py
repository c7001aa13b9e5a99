"""Send alarms to people: by a webhook that chat programs understand, or by mail."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final

import requests

from connector.errors import AlarmNotSent

TIMEOUT: Final = 10.0


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


def post(url: str, subject: str, body: str) -> None:
    """POST {"text": ...}, which Slack, Teams and Mattermost accept. Raises AlarmNotSent."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # .netrc is for other programs
            answer = session.post(url, json={"text": f"{subject}\n\n{body}"}, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise AlarmNotSent("alarms.webhook", f"does not answer: {type(error).__name__}") from None
    if not answer.ok or answer.is_redirect:
        raise AlarmNotSent("alarms.webhook", f"answered {answer.status_code}", "is the address still good?")


def send(mail: Mail, subject: str, body: str) -> None:
    """Send one mail. Raises AlarmNotSent."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, mail.sender, ", ".join(mail.to)
    message.set_content(body)
    try:
        with _connected(mail) as server:
            if mail.username:
                server.login(mail.username, mail.password)
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise AlarmNotSent(
            "alarms.mail", f"{mail.host}:{mail.port} did not accept it: {type(error).__name__}"
        ) from None


def _connected(mail: Mail) -> smtplib.SMTP:
    if mail.security == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT)
    server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT)
    if mail.security == "starttls":
        try:
            server.starttls()
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
    return server
