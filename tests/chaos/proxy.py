"""A TCP proxy before any server of this machine, whose connections fail on request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from tests.patience import PATIENCE
from tests.ports import free_port

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a closed socket sends RST instead of FIN
CHUNK = 65_536


class Pair:
    """One connection through the proxy. mute: it stays open, and what either side says is swallowed."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter | None, *, mute: bool) -> None:
        self.client, self.server, self.mute = client, server, mute
        self.due = {True: 0.0, False: 0.0}

    def close(self, *, reset: bool) -> None:
        for writer in filter(None, (self.client, self.server)):
            if reset:
                raw: socket.socket = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
            else:
                writer.close()


class Proxy:
    """Listens on `port` and passes everything on to `target`, until its methods are called, at any time.

    delay: seconds that each way takes longer. drip: seconds between two bytes to the client.
    opened: how many connections were accepted.
    """

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self.delay, self.drip, self.opened = 0.0, 0.0, 0
        self.pairs: set[Pair] = set()
        self._mute_new, self._cuts = False, 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self.accept()

    # --- what goes wrong, and how it ends

    def mute(self, *, old: bool = True, new: bool = True) -> None:
        """Swallow everything on the connections that are open, on those that come, or on both.

        A connection that was mute never speaks again, whatever comes after: part of what it carried is gone.
        """
        self._mute_new = new
        if old:
            self._call(self._each(lambda pair: setattr(pair, "mute", True)))

    def speak(self) -> None:
        """Pass on what new connections say."""
        self._mute_new = False

    def cut(self, *, reset: bool = True) -> None:
        """Close every connection: with RST, or with FIN."""
        self._call(self._each(lambda pair: pair.close(reset=reset)))

    def cut_replies(self, times: int) -> None:
        """Pass half of each of the next replies, then cut its connection."""
        self._cuts = times

    @property
    def cuts_left(self) -> int:
        return self._cuts

    def refuse(self) -> None:
        """Close every connection and accept no other: as when nothing listens there."""
        self._call(self._stop_listening())
        self.cut()

    def accept(self) -> None:
        """Accept connections, after refuse()."""
        self._call(self._listen())

    def close(self) -> None:
        self.refuse()
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- how

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _each(self, act: Callable[[Pair], None]) -> None:
        for pair in list(self.pairs):
            act(pair)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            for listening in self._server.sockets:
                self._loop.remove_reader(listening.fileno())
            await asyncio.sleep(0)  # asyncio drops a connection, unclosed, that is accepted as its server closes
            self._server.close()
            self._server = None

    async def _end(self) -> None:
        """End what began since the last cut: a socket that is left open fails whatever test comes later."""
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)  # a transport that was closed lets go of its socket in a later round

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        pair = Pair(writer, None, mute=self._mute_new)
        self.pairs.add(pair)
        try:
            if pair.mute:
                await self._pump(pair, reader, None)
                return
            answers, pair.server = await asyncio.open_connection("127.0.0.1", self.target)
            ways = (self._pump(pair, reader, pair.server), self._pump(pair, answers, writer))
            await asyncio.gather(*ways)
        except OSError:
            pass
        except asyncio.CancelledError:
            pair.close(reset=True)
        finally:
            self.pairs.discard(pair)
            pair.close(reset=False)

    async def _pump(self, pair: Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
        to_client = writer is pair.client
        while data := await reader.read(CHUNK):
            if pair.mute or writer is None:
                continue
            if to_client and self._cuts > 0:
                self._cuts -= 1
                writer.write(data[: len(data) // 2])
                await writer.drain()
                pair.close(reset=True)
                return
            await self._pass(pair, data, writer, to_client)
        if writer is not None and not pair.mute:
            self._later(pair, to_client, writer.close)

    async def _pass(self, pair: Pair, data: bytes, writer: asyncio.StreamWriter, to_client: bool) -> None:
        if self.drip and to_client:
            for place in range(len(data)):
                if pair.mute or writer.is_closing():
                    return
                writer.write(data[place : place + 1])
                await writer.drain()
                await asyncio.sleep(self.drip)
            return

        def send() -> None:
            if not pair.mute and not writer.is_closing():
                writer.write(data)

        self._later(pair, to_client, send)
        await writer.drain()

    def _later(self, pair: Pair, to_client: bool, act: Callable[[], None]) -> None:
        """After the delay, and never before what came earlier."""
        now = self._loop.time()
        due = pair.due[to_client] = max(pair.due[to_client], now + self.delay)
        if due <= now:
            act()
        else:
            self._loop.call_at(due, act)
