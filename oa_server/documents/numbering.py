"""发文字号: gapless numbers from a ledger.

The row of the series is the lock: who holds it reads the highest number of the year and writes the next one into the
ledger, in the transaction that numbers the document. A transaction that fails gives its number back by never having
taken it, so the ledger has no gaps that nobody can explain.
"""

from __future__ import annotations

from uuid import UUID

from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import Denied
from oa_server.core.ids import new_id
from oa_server.documents import rules
from oa_server.documents.models import NumberLedger, NumberSeries, ReceiveCounter
from oa_server.documents.states import LedgerState
from oa_server.storage.unit_of_work import Work, lock_row


async def open_series(organ_id: UUID, word: str) -> NumberSeries:
    """The series of an issuing organ; made when its issuing word is registered."""
    existing = await NumberSeries.get_or_none(word=word)
    return existing or await NumberSeries.create(id=new_id(), organ_id=organ_id, word=word)


async def next_number(work: Work, organ_id: UUID, document_id: UUID) -> tuple[str, NumberLedger]:
    """Take the next number of the organ's series for a document. Raises Denied when the organ does not issue."""
    series = await NumberSeries.get_or_none(organ_id=organ_id)
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


async def next_receive_number(work: Work, organ_id: UUID) -> str:
    """收文号: the next number of the receiving organ's register of the year."""
    day = work.now.astimezone(OFFICE_ZONE).date()
    fresh = ReceiveCounter(id=new_id(), organ_id=organ_id, year=day.year)
    await ReceiveCounter.bulk_create([fresh], ignore_conflicts=True)  # Two clerks may open the year at once.
    counter = await ReceiveCounter.get(organ_id=organ_id, year=day.year)
    await lock_row(ReceiveCounter, counter.id)
    await counter.refresh_from_db(fields=["last_given"])
    counter.last_given += 1
    await counter.save(update_fields=["last_given"])
    return rules.format_receive_number(day, counter.last_given)
