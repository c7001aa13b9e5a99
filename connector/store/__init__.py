"""The durable rows between the stages. Only this package speaks SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connector.store.accounts import Accounts
from connector.store.agencies import Agencies
from connector.store.bell import load_driver
from connector.store.commits import Commits
from connector.store.database import Database, open_database
from connector.store.deciding import Deciding
from connector.store.descriptions import Descriptions
from connector.store.desk import Desk
from connector.store.dialect import parse_url
from connector.store.fetched import Fetched
from connector.store.figures import Figures
from connector.store.forget import Forget
from connector.store.gaps import Gaps
from connector.store.history import History
from connector.store.inbox import Inbox
from connector.store.lacking import Lacking
from connector.store.lanes import Lanes
from connector.store.ledger import Ledger
from connector.store.letters import Letters
from connector.store.line import PATIENT, Patience
from connector.store.lowering import Lowering
from connector.store.mappings import Mappings
from connector.store.moving import Moving
from connector.store.newest import Newest
from connector.store.obligations import Obligations
from connector.store.oddities import Oddities
from connector.store.open_items import OpenItems
from connector.store.opt_outs import OptOuts
from connector.store.processes import Processes
from connector.store.proof_write import ProofWrite
from connector.store.questions import Questions
from connector.store.reapplying import Reapplying
from connector.store.rebinding import Rebinding
from connector.store.recordings import Recordings
from connector.store.repairing import Repairing
from connector.store.restoring import Restoring
from connector.store.retention import Retention
from connector.store.reveal import Reveal
from connector.store.rotation import Rotation
from connector.store.runs import Runs
from connector.store.source_pace import SourcePace
from connector.store.spoken import Spoken
from connector.store.trail import Trail
from connector.store.usage import Usage
from connector.store.verifications import Verifications
from connector.store.watches import Watches


class Store:
    """The rooms of one open database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.obligations = Obligations(database)
        self.oddities = Oddities(database)
        self.gaps = Gaps(database)
        self.commits = Commits(database, self.gaps)
        self.newest = Newest(database)
        self.inbox = Inbox(database, self.obligations, self.oddities, self.commits, self.newest)
        lacking = Lacking(database, self.obligations)
        self.fetched = Fetched(database, self.inbox, lacking)
        self.reapplying = Reapplying(database, self.inbox, lacking, self.newest)
        self.prove = ProofWrite(database, self.inbox)
        self.open_items = OpenItems(database)
        self.questions = Questions(database)
        self.ledger = Ledger(database, self.open_items, self.questions)
        self.lanes = Lanes(
            database, self.ledger, self.obligations, self.oddities, self.open_items, self.questions, self.commits
        )
        self.desk = Desk(database, self.inbox, self.obligations, self.open_items)
        self.restoring = Restoring(database, self.gaps, self.desk, self.obligations)
        self.deciding = Deciding(database, self.desk)
        self.letters = Letters(database)
        self.figures = Figures(database)
        self.history = History(database, self.inbox)
        self.retention = Retention(database)
        self.trail = Trail(database, self.inbox)
        self.agencies = Agencies(database)
        self.accounts = Accounts(database)
        self.rotation = Rotation(database)
        self.forget = Forget(database, self.ledger, self.desk)
        self.lowering = Lowering(database, self.desk)
        self.moving = Moving(database)
        self.rebinding = Rebinding(database, self.desk)
        self.reveal = Reveal(database, self.inbox, self.desk)
        self.mappings = Mappings(database, self.obligations, self.open_items, self.desk)
        self.descriptions = Descriptions(database)
        self.usage = Usage(database)
        self.watches = Watches(database)
        self.spoken = Spoken(database, self.inbox, self.obligations)
        self.opt_outs = OptOuts(database)
        self.processes = Processes(database)
        self.runs = Runs(database)
        self.recordings = Recordings(database, self.inbox)
        self.verifications = Verifications(database)
        self.repairing = Repairing(database, self.obligations, self.desk)

    def source_pace(self, agency: str, a_minute: int) -> SourcePace:
        """The pace of an agency's requests to careCycle, which every process keeps."""
        return SourcePace(self.database, agency, a_minute)

    def close(self) -> None:
        """Let every connection go."""
        self.database.close()


def preload(address: str) -> None:
    """Import what forks of this process need to open this database. Raises FixConfiguration."""
    load_driver(parse_url(address))


def open_store(
    address: str,
    environment: Mapping[str, str],
    clock: Callable[[], int] | None = None,
    patience: Patience = PATIENT,
) -> Store:
    """Open, migrate and unlock the store. Raises FixConfiguration, StoreUnavailable."""
    return Store(open_database(address, environment, clock, patience))
