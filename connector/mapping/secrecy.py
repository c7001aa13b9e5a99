"""What may be a secret in a text that people wrote, wherever they put it: nothing that we print repeats it."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "•••"
_KNOWN: Final = re.compile(
    r"pat-(na|eu|ap)\d+-|whs(ec|k)_\w|sk[_-](live|test)_|xox[abp]-|gh[pousr]_\w{9}|eyJ[\w-]{6}|AKIA\w{9}|00D\w{12,15}!"
    r"|-----BEGIN|MII[A-Za-z0-9+/]{9}",
    re.IGNORECASE,
)
"""How the secrets of careCycle, the CRMs and others begin."""
_NAMED: Final = re.compile(
    r"""(?P<name>[\w-]*(?:passw|passphrase|secret|token|credential|(?:api|private)[_-]?key)[\w-]*["']?\s*[:=]\s*)"""
    r"""(?!\$\{|file:|[\s,}\]]|$)(?:"[^"]*"?|'[^']*'?|[^,}\n]+)""",
    re.IGNORECASE,
)
"""A value beside the name of a secret. A reference is shown."""
_WORD: Final = re.compile(r"[^\s'\"`,;(){}\[\]<>|=]+")
_USER: Final = re.compile(r"(?<=://)[^\s/@]*@")
_CHUNK: Final = re.compile(r"[A-Za-z0-9+]{6,}")
_CHANGE: Final = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_CHANGES: Final = 3
PATH: Final = re.compile(r"\.{0,2}/|[\w.-]+\.(ya?ml|json|sarif|csv)\b")
_LONG: Final = 80


def like_a_secret(word: str) -> bool:
    """Whether a word looks as keys and tokens do: it begins as one, or letters and digits take turns.

    >>> [like_a_secret(word) for word in ("salesforce-2", "HUBSPOT_TOKEN_2026", "pat-na1-x", "x9f2k81qz0")]
    [False, False, True, True]
    """
    if _KNOWN.search(word) or len(word) > _LONG:
        return True
    return any(len(_CHANGE.findall(chunk)) >= _CHANGES for chunk in _CHUNK.findall(word))


def masked(text: str) -> str:
    """Hide what looks like a secret, and whose name is in an address.

    >>> masked("there is no setting pat-na1-5e0c2b8c"), masked("https://me:word@crm.example/x")
    ('there is no setting •••', 'https://•••@crm.example/x')
    """
    text = _USER.sub(f"{HIDDEN}@", text)
    return _WORD.sub(lambda word: HIDDEN if _is_hidden(word[0]) else word[0], text)


def masked_line(line: str) -> str:
    """Hide that in a line of a file, and any value beside the name of a secret.

    >>> masked_line("{api_key: 'correct, horse', a: b}"), masked_line("token: ${TOKEN}")
    ('{api_key: •••, a: b}', 'token: ${TOKEN}')
    """
    return masked(_NAMED.sub(rf"\g<name>{HIDDEN}", line))


def _is_hidden(word: str) -> bool:
    return bool(_KNOWN.search(word)) if PATH.match(word) else like_a_secret(word)
