"""Carry out what people decided: take a customer from one CRM record to the one that is theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connector.crm import Crm
from connector.delivery.decide import Existing, to_read
from connector.delivery.digests import Digest
from connector.delivery.fold import Folded
from connector.destinations.base import Destination, Found, Outcome, Row, Verdict, as_text
from connector.model import BLANK, Decided, Entry, Mode, RecordKey, fold_key


@dataclass(frozen=True, slots=True)
class Move:
    """One record's move. to: the CRM record it moves to; None for a new one. left: the one it has now, if any.

    back: whether a decision was taken back. clear: whether the key is taken off the record it leaves. kept: the records
    that its opt-outs still go to.
    """

    to: str | None
    left: str | None
    back: bool = False
    clear: bool = True
    kept: frozenset[str] = frozenset()


def move_of(entry: Entry) -> Move | None:
    """Return the move that a decision asks for and that was not made yet."""
    decided, now = entry.decided, entry.crm_id
    if decided.same and now != decided.same and now in (None, decided.former):
        kept = {now, decided.former, *decided.twins} - {None, decided.same}
        return Move(decided.same, now, clear=not decided.twins, kept=frozenset(crm_id for crm_id in kept if crm_id))
    if decided.left and now == decided.left:
        return Move(decided.former, now, back=True, clear=not decided.twins)
    return None


@dataclass(slots=True)
class Moves:
    """The moves of a batch's records.

    existing: the records they move to, with the values read. refused: the outcome of those that cannot move now.
    decided: the decisions about records that were merged since.
    """

    made: dict[RecordKey, Move] = field(default_factory=dict)
    existing: dict[RecordKey, Existing] = field(default_factory=dict)
    refused: dict[RecordKey, Outcome] = field(default_factory=dict)
    decided: dict[RecordKey, Decided] = field(default_factory=dict)

    def left(self, key: RecordKey) -> str | None:
        """The record that a record moves away from."""
        return self.made[key].left if key in self.made else None

    def kept(self, key: RecordKey) -> frozenset[str]:
        """The records that opt-outs still go to after a record's move."""
        return self.made[key].kept if key in self.made else frozenset()

    def freed(self, key: RecordKey) -> str | None:
        """The record that is not the customer's any more, because a decision was taken back."""
        return self.made[key].left if key in self.made and self.made[key].back else None


def due(batch: Sequence[Folded], entries: Mapping[RecordKey, Entry]) -> dict[RecordKey, Move]:
    """Return the moves that are due."""
    moves = ((folded.write.key, move_of(entries.get(folded.write.key, BLANK))) for folded in batch)
    return {key: move for key, move in moves if move is not None}


def after_merges(destination: Destination, due: Mapping[RecordKey, Move], entries: Mapping[RecordKey, Entry]) -> Moves:
    """Return the moves by the ids that their records have now, without those to the record that the customer is on.

    Where the two records are one by now, nothing is taken off it. Raises DestinationUnusable.
    """
    moves = Moves(dict(due))
    where = _where(destination, due)
    for key, move in due.items():
        to, left = where.get((key.object, move.to), move.to), where.get((key.object, move.left), move.left)
        if not to or not move.to:
            continue
        moves.made[key] = replace(move, to=to, clear=move.clear and to != left)
        moves.decided[key] = entries[key].decided.after_merge({move.to}, to)
        if to == move.left:
            del moves.made[key]
    return moves


def _where(destination: Destination, due: Mapping[RecordKey, Move]) -> dict[tuple[str, str | None], str | None]:
    """Ask where the records that are moved to or left live now: object and id -> id, None if it is deleted."""
    ids: dict[str, set[str]] = {}
    for key, move in due.items():
        ids.setdefault(key.object, set()).update(crm_id for crm_id in (move.to, move.left) if crm_id)
    return {
        (kind, crm_id): now
        for kind, wanted in ids.items()
        for crm_id, now in destination.survivors(kind, sorted(wanted)).items()
    }


def moved(entry: Entry) -> Entry:
    """Return the entry of a record that moves: nothing was written to where it goes."""
    return Entry(open=entry.open, decided=entry.decided)


def make_moves(
    destination: Destination,
    batch: Sequence[Folded],
    moves: Moves,
    entries: Mapping[RecordKey, Entry],
    digest: Digest,
) -> None:
    """Read the records moved to, and take the keys off those that are left. Raises DestinationUnusable.

    A decision for a record that is no longer in the CRM, or has another key by now, is not carried out.
    """
    due = dict(moves.made)
    for folded, match in _targets(destination, batch, due, digest):
        key = folded.write.key
        if isinstance(match, Outcome):
            moves.refused[key] = match
        elif match and _is_free(match[0], key):
            moves.existing[key] = Existing(match[0].id, match[0].values)
        elif not due[key].back:
            del moves.made[key]
    _clear(destination, moves, entries)


def _is_free(match: Found, key: RecordKey) -> bool:
    """Whether a record has no key yet, or this one."""
    return fold_key(as_text(match.values.get(key.field))) in ("", key.folded)


def _targets(
    destination: Destination, batch: Sequence[Folded], due: Mapping[RecordKey, Move], digest: Digest
) -> Iterator[tuple[Folded, list[Found] | Outcome]]:
    by_object: dict[str, list[Folded]] = {}
    for folded in batch:
        if (move := due.get(folded.write.key)) and move.to:
            by_object.setdefault(folded.write.key.object, []).append(folded)
    for kind, group in by_object.items():
        wanted = {name for folded in group for name in (*to_read(folded, BLANK, digest)[1], folded.write.key.field)}
        ids = [due[folded.write.key].to or "" for folded in group]
        answers = destination.find(kind, destination.crm.id_field, ids, sorted(wanted))
        yield from ((folded, answers.get(crm_id, [])) for folded, crm_id in zip(group, ids, strict=True))


def _clear(destination: Destination, moves: Moves, entries: Mapping[RecordKey, Entry]) -> None:
    """Take what a CRM keeps unique off the records that are left, before another record gets it."""
    leaving = [(key, move) for key, move in moves.made.items() if move.left and move.clear and key not in moves.refused]
    rows = [_freeing(destination.crm, key, move, entries[key]) for key, move in leaving]
    for (key, _), outcome in zip(leaving, destination.write(rows) if rows else (), strict=True):
        gone = outcome.verdict is Verdict.SKIPPED or outcome.code in destination.crm.gone
        if outcome.verdict is not Verdict.DELIVERED and not gone:
            moves.refused[key] = outcome


def _freeing(crm: Crm, key: RecordKey, move: Move, entry: Entry) -> Row:
    """Return the row that takes the key off a record, and the address we wrote to a record that we made."""
    names = {key.field} | ({crm.address_field} & entry.fields.keys() if not move.back else set())
    left = move.left or ""
    return Row(RecordKey(key.object, crm.id_field, left), dict.fromkeys(sorted(names)), id=left, mode=Mode.UPDATE)
