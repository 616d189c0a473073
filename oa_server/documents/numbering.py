"""发文字号: gapless numbers from a ledger.

The row of the series is the lock: who holds it reads the highest number of the year and writes the next one into the
ledger, in the transaction that numbers the document. A transaction that fails gives its number back by never having
taken it, so the ledger has no gaps that nobody can explain.
"""

from __future__ import annotations

from uuid import UUID

from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import Denied, Invalid
from oa_server.core.ids import new_id
from oa_server.documents import rules
from oa_server.documents.models import NumberLedger, NumberSeries, ReceiveCounter
from oa_server.documents.states import LedgerState
from oa_server.identity import access as identity
from oa_server.storage.unit_of_work import Work, lock_row


async def open_series(organ_id: UUID, word: str) -> NumberSeries:
    """The series of an issuing word, made when an organ registers it. Raises Invalid when it is another organ's."""
    existing = await NumberSeries.get_or_none(word=word)
    if existing is None:
        return await NumberSeries.create(id=new_id(), organ_id=organ_id, word=word)
    if existing.organ_id != organ_id:
        raise Invalid(rules.WORD_TAKEN, word=word)
    return existing


async def number_of(work: Work, organ_id: UUID, document_id: UUID) -> tuple[str, NumberLedger]:
    """The number of a document: the one it had before it was returned, or the next of the organ's present series.

    Raises Denied when the organ does not issue.
    """
    taken = await NumberLedger.get_or_none(document_id=document_id).select_related("series")
    if taken is not None:
        return rules.format_number(taken.series.word, taken.year, taken.seq), taken
    word = (await identity.organ(organ_id)).issuing_word
    series = await NumberSeries.get_or_none(organ_id=organ_id, word=word)
    if series is None:
        raise Denied(rules.NOT_AN_ISSUER)
    await lock_row(NumberSeries, series.id)
    year = work.now.astimezone(OFFICE_ZONE).year
    last = await NumberLedger.filter(series_id=series.id, year=year).order_by("-seq").first()
    entry = await NumberLedger.create(
        id=new_id(),
        series_id=series.id,
        year=year,
        seq=last.seq + 1 if last else 1,
        document_id=document_id,
        state=LedgerState.ISSUED,
        at=work.now,
    )
    return rules.format_number(series.word, year, entry.seq), entry


async def give_up(document_id: UUID, reason: str) -> list[NumberLedger]:
    """Void the number of a document that is given up, if it had one. Raises Invalid when nobody says why."""
    entry = await NumberLedger.get_or_none(document_id=document_id)
    if entry is None:
        return []
    if not reason.strip():
        raise Invalid(rules.REASON_NEEDED)
    if len(reason) > rules.VOID_REASON_LIMIT:
        raise Invalid(rules.REASON_TOO_LONG, limit=rules.VOID_REASON_LIMIT)
    entry.state, entry.reason = LedgerState.VOID, reason
    await entry.save(update_fields=["state", "reason"])
    return [entry]


async def next_receive_number(work: Work, organ_id: UUID) -> str:
    """收文号: the next number of the receiving organ's register of the year."""
    day = work.today
    fresh = ReceiveCounter(id=new_id(), organ_id=organ_id, year=day.year)
    await ReceiveCounter.bulk_create([fresh], ignore_conflicts=True)  # Two clerks may open the year at once.
    counter = await ReceiveCounter.get(organ_id=organ_id, year=day.year)
    await lock_row(ReceiveCounter, counter.id)
    await counter.refresh_from_db(fields=["last_given"])
    counter.last_given += 1
    await counter.save(update_fields=["last_given"])
    return rules.format_receive_number(day, counter.last_given)
