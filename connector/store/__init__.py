"""The durable rows between the stages. Only this package speaks SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from connector.errors import StoreUnavailable
from connector.store.accounts import Accounts
from connector.store.agencies import Agencies
from connector.store.audit import Audit
from connector.store.backups import Backups
from connector.store.bell import load_driver
from connector.store.commits import Commits
from connector.store.counting import Counting
from connector.store.created import Created
from connector.store.database import Database, open_database
from connector.store.deciding import Deciding
from connector.store.descriptions import Descriptions
from connector.store.desk import Desk
from connector.store.dialect import parse_url
from connector.store.drafts import Drafts
from connector.store.event_lists import EventLists
from connector.store.fetched import Fetched
from connector.store.figures import Figures
from connector.store.forget import Forget
from connector.store.found_lowered import FoundLowered
from connector.store.gaps import Gaps
from connector.store.guesses import Guesses
from connector.store.handle_index import HandleIndex
from connector.store.handling import Handling
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
from connector.store.owing import Owing
from connector.store.people import People
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
from connector.store.rewriting import begun
from connector.store.rotation import Rotation
from connector.store.runs import Runs
from connector.store.sessions import SignIns
from connector.store.sign_offs import SignOffs
from connector.store.source_pace import SourcePace
from connector.store.spoken import Spoken
from connector.store.sql import build_all
from connector.store.trail import Trail
from connector.store.usage import Usage
from connector.store.verifications import Verifications
from connector.store.versions import Versions
from connector.store.watches import Watches


class Store:
    """The rooms of one open database."""

    def __init__(self, database: Database) -> None:
        self.database, self.rewriting = database, begun(database)
        self.audit = Audit(database)
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
        self.open_items, self.questions = OpenItems(database), Questions(database)
        self.ledger = Ledger(database, self.open_items, self.questions, self.rewriting)
        self.lanes = Lanes(
            database, self.ledger, self.obligations, self.oddities, self.open_items, self.questions, self.commits
        )
        self.counting = Counting(database, self.ledger, self.lanes)
        self.desk = Desk(database, self.inbox, self.obligations, self.open_items, self.audit)
        self.restoring = Restoring(database, self.gaps, self.audit, self.obligations)
        self.letters, self.event_lists = Letters(database), EventLists(database)
        self.deciding, self.sign_offs = Deciding(database, self.audit), SignOffs(database, self.audit)
        self.figures, self.handling = Figures(database), Handling(database, self.desk, self.audit)
        self.history = History(database, self.inbox)
        self.retention = Retention(database, self.audit)
        self.trail = Trail(database, self.inbox)
        self.agencies, self.accounts = Agencies(database), Accounts(database)
        self.rotation, self.backups = Rotation(database), Backups(database, self.audit)
        self.forget = Forget(database, self.ledger, self.audit)
        self.lowering = Lowering(database, self.audit)
        self.moving = Moving(database)
        self.rebinding = Rebinding(database, self.audit)
        self.reveal = Reveal(database, self.inbox, self.audit)
        self.drafts, self.versions = Drafts(database), Versions(database, self.audit)
        self.mappings = Mappings(database, self.obligations, self.open_items, self.desk, self.versions)
        self.descriptions, self.usage = Descriptions(database), Usage(database)
        self.watches, self.spoken = Watches(database), Spoken(database, self.inbox, self.obligations)
        self.sign_ins, self.guesses = SignIns(database), Guesses(database)
        self.found_lowered = FoundLowered(database)
        self.opt_outs = OptOuts(database, self.found_lowered)
        self.owing = Owing(database, self.opt_outs)
        self.processes, self.people = Processes(database), People(database, HandleIndex(database, self.inbox))
        self.runs, self.recordings = Runs(database), Recordings(database, self.inbox)
        self.verifications = Verifications(database)
        self.repairing = Repairing(database, self.obligations, self.audit)

    def source_pace(self, agency: str, a_minute: int) -> SourcePace:
        """The pace of an agency's requests to careCycle, which every process keeps."""
        return SourcePace(self.database, agency, a_minute)

    @property
    def created(self) -> Created:
        """What is known of records that are to be deleted."""
        return Created(self.database)

    def close(self) -> None:
        """Let every connection go."""
        self.database.close()


def preload(address: str) -> None:
    """Import and build what forks of this process need to open this database. Raises FixConfiguration."""
    url = parse_url(address)
    load_driver(url)
    build_all(url.get_backend_name())


def open_store(
    address: str,
    environment: Mapping[str, str],
    clock: Callable[[], int] | None = None,
    patience: Patience = PATIENT,
    *,
    make: bool = True,
) -> Store:
    """Open, migrate and unlock the store; make: even where none is. Raises FixConfiguration, StoreUnavailable."""
    store = Store(open_database(address, environment, clock, patience, make=make))
    with suppress(StoreUnavailable):  # it is done before the first entry, at the latest
        store.audit.begin()
    return store
