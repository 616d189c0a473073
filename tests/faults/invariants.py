"""What must hold in the end, whatever was killed in between: the officials' ledger against what the house holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from oa_server.app import House
from oa_server.audit.models import AuditRecord
from oa_server.audit.verbs import Verb
from oa_server.documents.models import Consignment, IncomingDocument, NumberLedger, Opinion, OutgoingDocument
from oa_server.files.models import FilePart, StoredFile
from oa_server.signing.models import Signature
from oa_server.storage.outbox import Event
from oa_server.workflow.models import Task, TaskState
from tests.faults.errand import SMALL, TWO_PARTS
from tests.faults.house import faults
from tests.faults.ledger import Ledger

RECIPIENTS = 2
ONCE_PER_DOCUMENT = {
    Verb.DRAFTED: 1,
    Verb.SUBMITTED: 3,
    Verb.WITHDRAWN: 1,
    Verb.RETURNED: 1,
    Verb.APPROVED: 2,
    Verb.SIGNED: 1,
    Verb.NUMBERED: 1,
    Verb.FROZEN: 1,
    Verb.SEALED: 1,
    Verb.DISPATCHED: 1,
    Verb.CLOSED: 1,
}
# What the receiving organ does with what it signed for.
ONCE_PER_ORIGINAL = {
    Verb.SIGNED_FOR: 1,
    Verb.REGISTERED: 1,
    Verb.PROPOSED: 1,
    Verb.INSTRUCTED: 1,
    Verb.ASSIGNED: 1,
    Verb.HANDLED: 1,
    Verb.INCOMING_CLOSED: 1,
}
OPINIONS = ("return", "approve", "review", "sign", "instruct", "finish")
RECEIPTS = ("sign_for", "copy_signed_for", "refuse")


async def broken(house: House, ledger: Ledger) -> list[str]:
    """Everything that is lost, there twice, out of order, or there although nobody asked for it."""
    found = [f"{fault.where}: {fault.what}" for fault in await faults(house)]
    for check in (_documents, _opinions, _numbers, _arrivals, _attachments, _records, _tasks):
        found += [problem async for problem in check(ledger)]
    return found


async def _documents(ledger: Ledger) -> Any:
    """Each acknowledged fact of a document is what it says now; there is no document that nobody drafted, and none twice."""
    rows = {str(row.id): row for row in await OutgoingDocument.all()}
    if Counter(entry.facts["note"] for entry in ledger.of("draft")) != Counter(row.note for row in rows.values()):
        yield "drafts are lost or there twice"
    for step in ("submit", "number", "seal"):
        for entry in {entry.subject: entry for entry in ledger.of(step)}.values():  # of several submissions the last
            for name, value in entry.facts.items():
                if getattr(rows[entry.subject], name) != value:
                    yield f"{step} of {entry.subject}: {name} was {value}"


async def _opinions(ledger: Ledger) -> Any:
    told = Counter(entry.facts["words"] for step in OPINIONS for entry in ledger.of(step))
    if told != Counter([row.text for row in await Opinion.all()]):
        yield "opinions are lost or there twice"


async def _numbers(ledger: Ledger) -> Any:
    """Numbers are 1, 2, 3 …, each once, and who first asked after somebody had an answer has a greater one."""
    numbers = sorted(await NumberLedger.all().values_list("seq", flat=True))
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"numbers: {numbers}"
    given = list(ledger.of("number"))
    for earlier in given:
        for later in given:
            if (
                earlier.answered
                and earlier.answered < later.first_asked
                and _number_of(earlier.facts) > _number_of(later.facts)
            ):
                yield f"{later.facts['doc_no']} was asked for after {earlier.facts['doc_no']} was given"
    registered = sorted(entry.facts["receive_no"] for entry in ledger.of("register"))
    kept = sorted(await IncomingDocument.exclude(receive_no=None).values_list("receive_no", flat=True))
    if registered != kept or any(int(b[-4:]) != int(a[-4:]) + 1 for a, b in pairwise(kept)):
        yield f"receive numbers: {kept}"


def _number_of(facts: dict[str, Any]) -> int:
    return int(facts["doc_no"].partition("〕")[2].rstrip("号"))


async def _arrivals(ledger: Ledger) -> Any:
    """Each document arrived once at each recipient, was told of once, and has one receipt over the digest that was sealed."""
    sealed = {entry.subject: entry.facts["sealed_sha256"] for entry in ledger.of("seal")}
    sent = Counter(str(row.document_id) for row in await Consignment.all())
    if sent != Counter({entry.subject: RECIPIENTS for entry in ledger.of("dispatch")}):
        yield "consignments are lost or there twice"
    arrived = {str(row.id): row for row in await IncomingDocument.all()}
    told = Counter(event.payload["id"] for event in await Event.filter(kind="incoming.arrived"))
    if told != Counter(arrived.keys()):
        yield "arrivals were not told, or twice"
    receipts = Counter(str(row.subject_id) for row in await Signature.filter(purpose__in=["sign_for", "refuse"]))
    signed_for = [entry for step in RECEIPTS for entry in ledger.of(step)]
    if receipts != Counter(entry.subject for entry in signed_for):
        yield "receipts are lost or there twice"
    for entry in signed_for:
        digest = entry.facts["sha256"]
        if digest != arrived[entry.subject].sha256 or digest not in sealed.values():
            yield f"receipt of {entry.subject} over another digest"


async def _attachments(ledger: Ledger) -> Any:
    """Each attachment is whole, with the digest that its sender computed."""
    rows = {str(row.id): row for row in await StoredFile.all()}
    if sorted(rows) != sorted(entry.subject for entry in ledger.of("upload")):
        yield "attachments are lost or there twice"
    for entry in ledger.of("part"):
        digest = entry.facts["sha256"]
        if digest and rows[entry.subject].sha256 != digest:
            yield f"attachment {entry.subject} is not what was sent"
    parts = Counter(str(row.file_id) for row in await FilePart.all())
    if set(parts.values()) - {1, 2} or {row.size for row in rows.values()} - {SMALL, TWO_PARTS}:
        yield "parts are lost or there twice"


async def _records(ledger: Ledger) -> Any:
    """Every effect has one entry in the audit log."""
    found: Counter[tuple[str, str]] = Counter()
    for row in await AuditRecord.all():
        found[row.subject_id, row.verb] += 1
    for problem in _miscounted(found, ledger, "draft", ONCE_PER_DOCUMENT):
        yield problem
    for step, verbs in {
        "upload": {Verb.UPLOAD_STARTED: 1, Verb.UPLOAD_FINISHED: 1},
        "sign_for": ONCE_PER_ORIGINAL,
        "copy_signed_for": {Verb.SIGNED_FOR: 1, Verb.REFUSED: 0},
        "refuse": {Verb.SIGNED_FOR: 0, Verb.REFUSED: 1},
    }.items():
        for problem in _miscounted(found, ledger, step, verbs):
            yield problem


def _miscounted(found: Counter[tuple[str, str]], ledger: Ledger, step: str, verbs: dict[Verb, int]) -> Iterator[str]:
    for entry in ledger.of(step):
        for verb, count in verbs.items():
            if found[entry.subject, verb] != count:
                yield f"{verb} of {entry.subject}: {found[entry.subject, verb]} records"


async def _tasks(_ledger: Ledger) -> Any:
    """Each task was done once."""
    done = Counter((row.route_id, row.step, row.iteration) for row in await Task.filter(state=TaskState.DONE))
    for key, count in done.items():
        if count != 1:
            yield f"task {key} was done {count} times"
