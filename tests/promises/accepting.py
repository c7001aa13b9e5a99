"""A receiver without its HTTP: accept as fast as it goes, and tell each message id once it is acknowledged.

python -m tests.promises.accepting ADDRESS [hasty]    `hasty` acknowledges before it accepts: a test must notice.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading

from connector.store import Store
from connector.store.database import open_database
from connector.store.writer import Writer
from tests.builders import DATA_KEY, an_arrival

THREADS = 8


def main(address: str, hasty: bool) -> None:
    store = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}))
    writer, numbers = Writer(store.inbox.accept), itertools.count(1)

    def accept() -> None:
        while True:
            message_id = f"msg_{next(numbers):07d}"
            line = f"{message_id}\n".encode()
            if hasty:
                os.write(1, line)
            writer(an_arrival(message_id)).result()
            if not hasty:
                os.write(1, line)

    threads = [threading.Thread(target=accept) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], "hasty" in sys.argv[2:])
