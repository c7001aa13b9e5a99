"""Say plainly that a command's output cannot be written, instead of failing in the middle of it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_NO_READER: Final = errno.EPIPE
_NOT_WRITABLE: Final = frozenset({_NO_READER, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})


@contextmanager
def written_out() -> Iterator[None]:
    """Write out what the block prints. Exit status 1 where that cannot be done; without a word if nobody reads it."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        _write_nothing_more(sys.stdout.fileno())
        if error.errno != _NO_READER:
            with suppress(OSError):
                os.write(2, f"{error.filename or 'the output'} cannot be written: {error.strerror}\n".encode())
        raise SystemExit(1) from None


def _write_nothing_more(descriptor: int) -> None:
    """Let what is buffered go nowhere: Python writes it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
