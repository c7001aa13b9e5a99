"""Write a folded batch to one CRM, in the order of its references: resolve, look up, decide, send."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from connector.delivery.answer import Answer, new_links
from connector.delivery.consent import States
from connector.delivery.created_first import catch_up, created_first, is_to_be_looked_for, to_look_for
from connector.delivery.culprits import find_culprits, is_unnamed
from connector.delivery.decide import Existing, decide
from connector.delivery.digests import Digest
from connector.delivery.fates import LOST, Whereabouts
from connector.delivery.firsts import Firsts
from connector.delivery.fitting import Fitting, explained, held_back, must_wait, too_early
from connector.delivery.fold import Folded
from connector.delivery.follow import Following
from connector.delivery.held import left_to_holder
from connector.delivery.ignored import with_warnings
from connector.delivery.in_flight import first_in_flight
from connector.delivery.keep_apart import ClaimRecords, keep_apart
from connector.delivery.key_back import KeyBack, Owners
from connector.delivery.left_out import Sending, as_first_refused, nothing_left, turns, without_refused
from connector.delivery.lookups import Lookups
from connector.delivery.match import Matches, Taken, find_existing
from connector.delivery.moves import Moves, after_merges, due, make_moves, moved
from connector.delivery.ours import read_back, unread_if_created
from connector.delivery.twins import holders, several_match
from connector.delivery.uncertain import in_doubt
from connector.delivery.unmet import (
    LookedUp,
    by_field,
    lookups_of,
    lost_lookups,
    no_match,
    refused_lookup,
    required_empty,
    unmatched_lookups,
    unresolved,
)
from connector.delivery.unsure import UNSURE, begun_now, unsure_for
from connector.destinations.base import Destination, Outcome, Row, Verdict
from connector.errors import DestinationUnusable
from connector.model import BLANK, Candidate, Entry, FieldWrite, Lookup, Mode, RecordKey, Ref, Rule, Value, Write
from connector.settlement import Refusal, Remembered

SEARCH_LAG = 300_000
"""Milliseconds after which a CRM's search shows what was written: a slow one takes up to a minute."""

SENT_AGAIN: Final = 24
"""How often a batch's refused records are sent again, together, without the fields that were refused."""

_PARENT_MISSING = Outcome(
    Verdict.DEFERRED,
    refusal=Refusal(
        "PARENT_MISSING",
        "the record waits for the record it refers to",
        "fix the dead letter of the other record first, then replay",
    ),
)


@dataclass(slots=True)
class Writing:
    """One batch on its way into one CRM. `answers` and `unusable` are its result.

    consents: after this batch's events. intend: stores marks that must be on disk before a write; raises LeaseLost
    where another worker has taken over.
    version: of the mapping. again: how often records may be sent again without the fields that the CRM refuses.
    now: epoch ms by the CRM's clock. search_lag: ms until a record whose creation had no answer can be searched for.
    sent: every record that was sent, answered or not. asked: the records of the rank being written.
    new: those that are created without a search. refused: those that were not, and are to be looked for.
    moves: what people decided about those. caught_up: records whose entry is ahead of the ledger's until it is stored.
    gate: raises DestinationUnusable where no more may be sent. claim: claims records for keys, and returns the keys
    whose record belongs to another. taken: asks the same of records that might be adopted, and claims nothing.
    owners: whose the records are that the CRM returns for a key. fitting: shortens what the CRM finds too long.
    firsts: what the version writes for the first time, and what the CRM had there.
    later: whether what the CRM fills into new records is read later.
    """

    destination: Destination
    lookups: Lookups
    digest: Digest
    entries: dict[RecordKey, Entry]
    consents: Mapping[str, States]
    intend: Callable[[Sequence[Remembered]], None]
    now: Callable[[], int]
    version: str = ""
    again: int = SENT_AGAIN
    search_lag: int = SEARCH_LAG
    gate: Callable[[], None] = lambda: None
    claim: ClaimRecords = lambda wanted: ()
    taken: Taken = lambda wanted: ()
    owners: Owners = lambda wanted: {}
    fitting: Fitting | None = None
    firsts: Firsts = field(default_factory=Firsts)
    later: bool = False
    answers: dict[RecordKey, Answer] = field(default_factory=dict)
    sent: list[Answer] = field(default_factory=list)
    asked: Sequence[Folded] = ()
    unusable: DestinationUnusable | None = None
    moves: Moves = field(default_factory=Moves)
    caught_up: set[RecordKey] = field(default_factory=set)
    new: Container[RecordKey] = ()
    refused: list[Folded] = field(default_factory=list)
    following: Following = field(init=False)

    def __post_init__(self) -> None:
        self.following = Following(Whereabouts(self.destination), self.entries, self.claim, self.digest)

    def run(self, batch: Sequence[Folded]) -> None:
        """Write the batch, or as much of it as the destination answers before it becomes unusable."""
        try:
            for _, rank in groupby(batch, lambda folded: folded.write.rank):
                self.gate()
                self._write_rank(list(rank))
        except DestinationUnusable as error:
            self.unusable = error
            unanswered = [folded for folded in self.asked if folded.write.key not in self.answers]
            error.in_flight = first_in_flight(error.keys, unanswered, self.entries)

    def _write_rank(self, batch: Sequence[Folded]) -> None:
        self._write_once(batch, created_first(batch, self.entries, self.destination))
        if refused := self.refused:
            self.refused = []
            self._write_once(refused)
        for part in self.following.again(batch, self.answers):
            self._write_once(part)

    def _write_once(self, batch: Sequence[Folded], new: Container[RecordKey] = ()) -> None:
        self.asked, self.new = batch, new
        resolved = self._resolve(self._wanted(batch))
        self._move(resolved)
        staying = [folded for folded in resolved if folded.write.key not in self.moves.existing]
        key_back = KeyBack(self.destination, self.entries, self.owners, lambda: self.intend([]))
        first = self.firsts.wanted(staying, self.entries)
        matches = find_existing(
            self.destination, to_look_for(staying, new), self.entries, self.digest, self.taken, key_back, first
        )
        matches.existing |= self.moves.existing
        matches.refused |= self.moves.refused
        keep_apart(matches, self.entries, self.destination.crm, self.claim)
        self._catch_up(resolved, matches)
        self.firsts.seen |= matches.existing
        to_send = []
        for folded in resolved:
            key = folded.write.key
            if key in matches.refused:
                self._answer(folded, matches.refused[key])
            elif key in matches.ambiguous:
                candidates = matches.ambiguous[key]
                self._answer(folded, several_match(candidates), candidates)
            elif key in matches.gone:
                self._answer(folded, replace(LOST, id=matches.gone[key]), sent_to=self._entry(folded).crm_id)
            elif sending := self._to_send(folded, matches):
                to_send.append(sending)
        for turn in turns(to_send):
            self._send(turn)
        written = [self.answers[sent.row.key] for sent in to_send if sent.row.key in self.answers]
        self.answers |= read_back(self.destination, written, self.digest, later=self.later)
        for key, ids in holders(self.destination, written).items():
            self.answers[key] = replace(self.answers[key], candidates=ids)

    def _catch_up(self, batch: Sequence[Folded], matches: Matches) -> None:
        """Learn what became of creations that were never confirmed."""
        how = (self.destination.crm, self.digest, self.version)
        caught, others = catch_up(batch, matches.existing, self.entries, *how)
        if others:
            self.intend(others)
        self.caught_up |= caught.keys()
        self.entries |= caught

    def _move(self, batch: Sequence[Folded]) -> None:
        """Carry out what people decided about these records."""
        self.moves = moves = after_merges(self.destination, due(batch, self.entries), self.entries)
        self.entries |= {key: replace(self.entries[key], decided=decided) for key, decided in moves.decided.items()}
        if wanted := {key: move.to for key, move in moves.made.items() if move.to}:
            for key in self.claim(wanted):  # the record has become another's since people decided
                del moves.made[key]
        if moves.made:
            self.intend([])  # a worker that has lost the lane must not write
            make_moves(self.destination, batch, moves, self.entries, self.digest)
            self.entries |= {key: moved(self.entries[key]) for key in moves.made}

    def _wanted(self, batch: Sequence[Folded]) -> list[Folded]:
        """Answer the records that an undo deleted, and that nothing new has come about; return the others."""
        deleted = [own for own in batch if self.firsts.stay_deleted(own, self._entry(own))]
        for folded in deleted:
            self._answer(folded, Outcome(Verdict.SKIPPED))
        return [folded for folded in batch if folded not in deleted] if deleted else list(batch)

    def _to_send(self, folded: Folded, matches: Matches) -> Sending | None:
        """Decide a record, and answer it where the CRM already has all of it."""
        key, existing = folded.write.key, matches.existing.get(folded.write.key)
        answer = self._decide(folded, existing, matches.questions.get(key, ()))
        row = self._row(answer, existing, matches.held.get(key, {}))
        if row is None:
            self.answers[key] = answer
            return None
        return Sending(replace(answer, sent_to=row.id) if row.id else answer, row)

    def _send(self, records: Sequence[Sending]) -> None:
        creating = [sending for sending in records if sending.answer.creating]
        self._send_until_settled([sending for sending in records if not sending.answer.creating])
        for start in range(0, len(creating), self.destination.batch):  # a lost reply leaves one call's records unsure
            self._send_until_settled(creating[start : start + self.destination.batch])

    def _send_until_settled(self, records: Sequence[Sending]) -> None:
        """Send records, and those that were refused for some fields again without them."""
        unnamed: list[tuple[Sending, Outcome]] = []
        while records:
            tried = list(zip(records, self._write(records), strict=True))
            if self.again > 0:
                unnamed += [pair for pair in tried if is_unnamed(*pair)]
                tried = [pair for pair in tried if not is_unnamed(*pair)]
            records = [again for pair in tried if (again := self._settled(*pair, last=self.again <= 0))]
            self.again -= bool(records)
        for sending, outcome in find_culprits(unnamed, self.version, self._write_again):
            self._keep(sending, outcome)

    def _write_again(self, records: Sequence[Sending]) -> list[Outcome] | None:
        self.again -= 1
        return self._write(records) if self.again >= 0 else None

    def _write(self, records: Sequence[Sending]) -> list[Outcome]:
        # Called even with nothing to store: a worker that has lost the lane must not write.
        meant = [doubted for sending in records if (doubted := self._doubted(sending))]
        self.intend(meant)
        self.entries |= {own.key: own.entry for own in meant if own.key in self.new}
        self.sent += [sending.answer for sending in records]
        return self.destination.write([sending.row for sending in records])

    def _settled(self, sending: Sending, outcome: Outcome, *, last: bool) -> Sending | None:
        """Keep a record's answer, unless it is to be sent again without some fields: return it as it is sent then."""
        too_long = self.destination.crm.too_long
        if self.fitting and not last and (shorter := self.fitting.shorter(sending, outcome, too_long)):
            return shorter
        outcome = explained(sending, outcome, too_long)
        again = None if last else without_refused(sending, outcome, self.version, self.destination.crm.gone)
        if again and outcome.holder is not None:
            again = left_to_holder(sending, again, self.digest(None))
        if again is None:
            self._keep(sending, outcome)
        elif nothing_left(again.row):
            self._keep(again, None)
        else:
            return again
        return None

    def _keep(self, sending: Sending, outcome: Outcome | None) -> None:
        """Keep a record's answer. outcome: None where nothing was left to send."""
        answer, row = sending
        if outcome is None:
            self.answers[row.key] = answer
            return
        if is_to_be_looked_for(row, outcome):
            self.refused.append(answer.folded)
            return
        outcome = as_first_refused(outcome, answer.decision.left_out)
        answer = with_warnings(sending, outcome, self.version).answer
        self.answers[row.key] = replace(answer, outcome=outcome, links=row.links)

    def _doubted(self, sending: Sending) -> Remembered | None:
        answer, folded, entry = sending.answer, sending.answer.folded, sending.answer.entry
        doubted = in_doubt(folded, answer.decision, entry, self.digest)
        if answer.creating or sending.row.new:
            doubted = replace(doubted, creating=self.now())
        doubted = replace(doubted, unread=unread_if_created(answer) or doubted.unread)
        before = self.firsts.before(answer)
        if doubted == entry and before is None and folded.write.key not in self.caught_up:
            return None
        # Until a move is confirmed, the ledger knows the record that is left.
        doubted = replace(doubted, crm_id=doubted.crm_id or self.moves.left(folded.write.key))
        return Remembered(folded.write.key, doubted, folded.customer_id, max(folded.deliveries), before=before)

    def _answer(
        self, folded: Folded, outcome: Outcome, candidates: tuple[str, ...] = (), sent_to: str | None = None
    ) -> None:
        key, entry = folded.write.key, self._entry(folded)
        followed = self.following.followed.get(key)
        self.answers[key] = Answer(
            folded, entry, outcome=outcome, sent_to=sent_to, candidates=candidates, followed=followed
        )

    def _entry(self, folded: Folded) -> Entry:
        return self.entries.get(folded.write.key, BLANK)

    def _resolve(self, batch: Sequence[Folded]) -> list[Folded]:
        """Put ids and looked-up values in place; answer the records that cannot have them."""
        self._note_as_begun_now(batch)
        open_values = [unresolved(folded.write) for folded in batch]
        wanted = lookups_of(open_values)
        answers = self.lookups.resolve(self.destination, wanted) if wanted else {}
        resolved = []
        for folded, values in zip(batch, open_values, strict=True):
            looked_up = by_field(values, answers)
            waiting = too_early(folded, self._entry(folded), self.digest)
            if refused := refused_lookup(folded.write, looked_up):
                self._answer(folded, refused)
            elif self._must_wait(folded.write, values, looked_up):
                self._answer(folded, _PARENT_MISSING)
            elif (wait := unsure_for(folded, self._entry(folded), self.search_lag, self.now())) > 0:
                self._answer(folded, replace(UNSURE, retry_after=wait / 1000))
            elif lost := lost_lookups(folded, looked_up):
                self._answer(folded, Outcome(Verdict.REJECTED, refusal=no_match(lost)))
            elif incomplete := required_empty(folded.write, self._entry(folded)) or must_wait(waiting):
                self._answer(folded, incomplete)
            else:
                resolved.append(held_back(self._resolved(folded, values, looked_up), waiting, self.version))
        return resolved

    def _resolved(self, folded: Folded, values: Mapping[str, Ref | Lookup], looked_up: LookedUp) -> Folded:
        if not values:
            return folded
        fields = folded.write.fields
        plain = {name: self._plain(fields[name], value, looked_up.get(name)) for name, value in values.items()}
        present = {name: own for name, own in {**fields, **plain}.items() if own is not None}
        is_known = self._entry(folded).crm_id is not None
        unmatched = dict(unmatched_lookups(folded, looked_up, is_known, self.digest, self.version))
        return replace(folded, write=folded.write._replace(fields=present), unmatched=unmatched)

    def _note_as_begun_now(self, batch: Sequence[Folded]) -> None:
        """Count creations that seem to have begun in the future, by a clock that was ahead, from this moment on."""
        if again := begun_now(batch, self.entries, self.now()):
            self.entries |= {meant.key: meant.entry for meant in again}
            self.intend(again)

    def _must_wait(self, write: Write, values: Mapping[str, Ref | Lookup], looked_up: LookedUp) -> bool:
        parents = list(write.links)
        for name, value in values.items():
            if isinstance(value, Ref):
                parents.append(value.key)
            elif value.waits and looked_up[name] is None:
                return True
        return any(self.answers[key].waits for key in parents if key in self.answers)

    def _plain(self, own: FieldWrite, value: Ref | Lookup, answer: Value | Outcome) -> FieldWrite | None:
        """Return the field with a value that can be sent; None leaves it out. answer: to its look-up."""
        if isinstance(value, Ref):
            crm_id = self._id_of(value.key)
            return None if crm_id is None else own._replace(value=crm_id, refers=True)
        if answer is not None and not isinstance(answer, Outcome):
            return own._replace(value=answer, fallback=value.default)
        return None if value.default is None else own._replace(value=value.default)

    def _id_of(self, key: RecordKey) -> str | None:
        return self.answers[key].crm_id if key in self.answers else self.entries.get(key, BLANK).crm_id

    def _decide(self, folded: Folded, existing: Existing | None, question: tuple[Candidate, ...]) -> Answer:
        known = self.consents.get(folded.customer_id or "", {})
        entry = self._entry(folded)
        decision = decide(folded, entry, known, existing, self.digest, self.firsts.by(folded))
        found_id, key = existing.id if existing else None, folded.write.key
        creating = not (folded.write.unique or found_id or entry.crm_id) and folded.write.mode is not Mode.UPDATE
        return Answer(
            folded,
            entry,
            decision,
            found_id=found_id,
            creating=creating,
            question=question,
            followed=self.following.followed.get(key),
            kept=self.moves.kept(key),
            freed=self.moves.freed(key),
        )

    def _row(self, answer: Answer, existing: Existing | None, held: Mapping[str, str]) -> Row | None:
        """Return the row to send; None when the CRM already has all of it."""
        write, decision, entry = answer.folded.write, answer.decision, answer.entry
        links = new_links(answer, self._id_of, self.digest)
        is_known = entry.crm_id is not None or (existing is not None and write.mode is Mode.CREATE)
        has_news = bool(links) or not decision.empty or answer.takes_key
        if not has_news and (is_known or write.mode is Mode.UPDATE):
            return None
        return Row(
            write.key,
            {**decision.fields, **dict.fromkeys(decision.consent.values(), True)},
            id=entry.crm_id or answer.found_id,
            mode=write.mode,
            consent=frozenset(decision.consent.values()),
            links=links,
            unsubscribe=decision.unsubscribe,
            known=entry.crm_id,
            keyed=self._is_keyed(answer),
            compared=frozenset(name for name in decision.fields if write.fields[name].rule is not Rule.ALWAYS),
            unique=write.unique,
            held=held,
            new=write.key in self.new,
        )

    def _is_keyed(self, answer: Answer) -> bool:
        """Whether the key is written: not with an opt-out alone, which goes to the record whatever its key is."""
        if answer.folded.write.key in self.following.whereabouts.keyless:
            return False
        return answer.entry.crm_id is None or bool(answer.decision.fields) or answer.takes_key
