"""What somebody meant by a setting's value: how the file has it. Nothing of a secret is repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from connector.carecycle.states import STATES
from connector.mapping import meant
from connector.mapping.suggestions import closest

_ZONES: Final[Mapping[str, str]] = {
    "America/New_York": "CT DE DC FL GA IN ME MD MA MI NH NJ NY NC OH PA RI SC VT VA WV KY EST EDT ET EASTERN",
    "America/Chicago": "AL AR IL IA KS LA MN MS MO NE ND OK SD TN TX WI CST CDT CENTRAL",
    "America/Denver": "CO ID MT NM UT WY MDT MOUNTAIN",
    "America/Phoenix": "AZ MST7",
    "America/Los_Angeles": "CA NV OR WA PST PDT PT PACIFIC",
    "America/Anchorage": "AK AKST AKDT ALASKA",
    "Pacific/Honolulu": "HI HAWAII",
}
"""The time zone of each state's greater part, and what people call it."""

_OF: Final = {word: zone for zone, words in _ZONES.items() for word in words.split()}
_CODES: Final = {name.upper(): code for code, name in STATES.items()}
_UNITS: Final = {
    "payloads": "day",
    "dead_letters": "day",
    "undo": "day",
    "compare_days": "day",
    "every": "minute",
    "search_lag": "second",
    "compare_every": "hour",
}


def zone(text: str) -> str:
    """Return the IANA time zone that is meant; empty if that is not clear.

    >>> zone("Arizona"), zone("EST"), zone("America/New York"), zone("Central Time"), zone("Mars")
    ('America/Phoenix', 'America/New_York', 'America/New_York', 'America/Chicago', '')
    """
    word = re.sub(r"^(US|USA|AMERICA)[/ ]|\s*(STANDARD |DAYLIGHT )?TIME( ZONE)?$", "", text.strip().upper())
    place = text.strip().rpartition("/")[2].replace(" ", "_").lower()
    named = next((zone for zone in _ZONES if zone.lower().endswith(f"/{place}")), "")
    return named or _OF.get(_CODES.get(word, word), "") or closest(text, tuple(sorted(_ZONES)))


def number(setting: str, text: str) -> str:
    """Return a number that was written with its unit or in words; empty if it is none.

    >>> number("payloads", "30 days"), number("every", "60 min"), number("partitions", "two")
    ('30', '60', '2')
    """
    unit = _UNITS.get(setting, "")
    return meant.number(text, unit) or meant.number(text, unit[:3])


def share(text: str) -> str:
    """Return a share of the day with its sign; empty if the text is none.

    >>> share("20"), share("0.2"), share("20 percent"), share("half")
    ('20%', '20%', '20%', '')
    """
    part = meant.number(text, "percent")
    if not part or not 0 < float(part) <= 100:
        return ""
    return f"{float(part) * 100:g}%" if float(part) < 1 else f"{part}%"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _server(text: str) -> str:
    host = re.sub(r"^\w+://", "", text).strip("/ ")
    return (
        host
        if re.fullmatch(r"[\w.-]+:\d+", host)
        else f"{host}:587"
        if re.fullmatch(r"[\w-]+(\.[\w-]+)+", host)
        else ""
    )


def _endpoint(text: str) -> str:
    match = re.fullmatch(r"(https?)?\W*([\w.-]+(?::\d+)?)(?:/.*)?", text.strip())
    if not match:
        return ""
    is_here = re.match(r"localhost|127\.|[\w.-]+:\d+$", match[2]) is not None
    return f"{match[1] or ('http' if is_here else 'https')}://{match[2]}" if re.search(r"[.:]", match[2]) else ""


TEXTS: Final[Mapping[str, Callable[[str], str]]] = {
    "agency": _slug,
    "timezone": zone,
    "budget": share,
    "server": _server,
    "endpoint": _endpoint,
    "api_version": lambda text: text.strip().removeprefix("v") if re.fullmatch(r"v\d+\.\d+", text.strip()) else "",
}
"""How a setting that is a text with a form of its own was meant."""
