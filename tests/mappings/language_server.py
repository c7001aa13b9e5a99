"""A client for yaml-language-server over standard input and output, as an editor is one.

https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/
"""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Self

PATIENCE = 120.0  # seconds; then the server is ended and whoever waits for it fails


class LanguageServer:
    """A running server. `script` is yaml-language-server's own, run by node."""

    def __init__(self, script: str, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            ["node", script, "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.timer = Timer(PATIENCE, self.process.kill)
        self.ids = itertools.count(1)
        self.reported: dict[str, list[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        self.timer.start()
        self.ask("initialize", processId=None, rootUri=self.folder.as_uri(), capabilities=CAPABILITIES)
        self.tell("initialized")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.timer.cancel()
        self.process.kill()
        self.process.communicate()

    def open(self, name: str, text: str) -> str:
        uri = (self.folder / name).as_uri()
        self.tell("textDocument/didOpen", textDocument={"uri": uri, "languageId": "yaml", "version": 1, "text": text})
        return uri

    def at_caret(self, name: str, text: str) -> dict[str, Any]:
        """Open a text; the place of the sign ¦, which is taken out."""
        before, _, after = text.partition("¦")
        line = before.count("\n")
        position = {"line": line, "character": len(before) - before.rfind("\n") - 1}
        return {"textDocument": {"uri": self.open(name, before + after)}, "position": position}

    def completions(self, name: str, text: str) -> dict[str, str]:
        """What is offered at the caret, each with its explanation."""
        answer = self.ask("textDocument/completion", **self.at_caret(name, text))
        items = answer["items"] if isinstance(answer, dict) else answer
        return {item["label"]: _words(item.get("documentation")) for item in items}

    def hover(self, name: str, text: str) -> str:
        answer = self.ask("textDocument/hover", **self.at_caret(name, text))
        return _words(answer["contents"]) if answer else ""

    def problems(self, name: str, text: str) -> list[str]:
        uri = self.open(name, text)
        while uri not in self.reported:
            self._take(self._receive())
        return [f"{one['range']['start']['line'] + 1}: {one['message']}" for one in self.reported[uri]]

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, **params: Any) -> Any:
        number = next(self.ids)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        """What the server says of its own accord; what it asks is answered by a default."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self.reported[message["params"]["uri"]] = message["params"]["diagnostics"]
        if "id" in message and "method" in message:
            asked = message["params"].get("items") if isinstance(message["params"], dict) else None
            self._send(
                {"id": message["id"], "result": [SETTINGS.get(one["section"]) for one in asked] if asked else None}
            )

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while (line := self.process.stdout.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message


def _words(documentation: Any) -> str:
    return str(documentation["value"] if isinstance(documentation, dict) else documentation or "")


CAPABILITIES: dict[str, Any] = {
    "textDocument": {
        "completion": {"completionItem": {"documentationFormat": ["markdown"], "snippetSupport": True}},
        "hover": {"contentFormat": ["markdown"]},
        "publishDiagnostics": {},
    },
    "workspace": {"configuration": True},
}
SETTINGS: dict[str, Any] = {
    "yaml": {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}},
}
