"""Rows of documents in the words of the wire: what the page of a document, a list and the board show."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from oa_server.audit import access as audit
from oa_server.core.actor import Actor
from oa_server.core.errors import NotFound
from oa_server.documents import access, actions, drafting, receiving, rules
from oa_server.documents.models import IncomingDocument, OutgoingDocument
from oa_server.documents.schemas import (
    AttachmentOut,
    ConsignmentOut,
    DocumentOut,
    DocumentRow,
    Elements,
    HistoryOut,
    IncomingOut,
    IncomingRow,
    OpinionOut,
    ReceiptFile,
    ReceiptOut,
    RefusalOut,
    StepOut,
)
from oa_server.documents.states import (
    Classification,
    DocKind,
    IncomingState,
    OutgoingState,
    Publicity,
    RecipientRole,
    RefusalCode,
    Urgency,
)
from oa_server.files import access as files
from oa_server.identity import access as identity
from oa_server.signing import access as signing
from oa_server.web.shapes import Named, ability_out
from oa_server.workflow import access as workflow


async def document_rows(rows: Sequence[OutgoingDocument]) -> list[DocumentRow]:
    """Rows of the list of outgoing documents, with the names of their drafters."""
    names = await identity.names_of({row.drafter_id for row in rows})
    return [_document_row(row, names) for row in rows]


def incoming_rows(rows: Sequence[IncomingDocument]) -> list[IncomingRow]:
    """Rows of the list of incoming documents."""
    return [IncomingRow(**_incoming_row(row)) for row in rows]


def _document_row(row: OutgoingDocument, names: dict[UUID, str]) -> DocumentRow:
    return DocumentRow(
        row.id,
        row.state,
        OutgoingState(row.state).title_zh,
        row.kind,
        row.title,
        row.doc_no,
        row.urgency,
        names.get(row.drafter_id, ""),
        row.created_at,
        row.updated_at,
    )


async def document_out(actor: Actor, document: OutgoingDocument, language: str) -> DocumentOut:
    """The page of an outgoing document."""
    recipients = await access.recipients(document.id)
    main = access.organs_as(recipients, RecipientRole.MAIN)
    copies = access.organs_as(recipients, RecipientRole.COPY)
    organs = await identity.organ_names([document.organ_id, *main, *copies])
    people = await identity.names_of([i for i in (document.drafter_id, document.signer_id) if i])
    unit = await identity.unit(document.unit_id)
    at = await actions.standing(actor, document)
    return DocumentOut(
        id=document.id,
        state=document.state,
        state_title=OutgoingState(document.state).title_zh,
        elements=_elements(document, main, copies),
        body=document.body,
        doc_no=document.doc_no,
        doc_date=document.doc_date,
        issuer=Named(document.organ_id, organs[document.organ_id].full_name),
        unit=Named(unit.id, unit.name),
        drafter=Named(document.drafter_id, people[document.drafter_id]),
        signer=Named(document.signer_id, people[document.signer_id]) if document.signer_id in people else None,
        main_recipients=[Named(i, organs[i].full_name) for i in main if i in organs],
        copies_to=[Named(i, organs[i].full_name) for i in copies if i in organs],
        version_no=document.version_no,
        pages_sha256=document.pages_sha256,
        frozen_sha256=document.frozen_sha256,
        sealed_sha256=document.sealed_sha256,
        sealed=document.sealed_sha256 is not None,
        attachments=await _attachments(document.id),
        opinions=await _opinions(access.OUTGOING, document.id),
        route=await _route(document.id),
        history=await _history(document.id),
        abilities=[ability_out(a, language) for a in rules.abilities(actor, document, at)],
        open_step=at.open_step,
        created_at=document.created_at,
        etag=drafting.etag_of(document),
    )


def _elements(document: OutgoingDocument, main: list[UUID], copies: list[UUID]) -> Elements:
    return Elements(
        kind=DocKind(document.kind),
        title=document.title,
        urgency=Urgency(document.urgency),
        classification=Classification(document.classification),
        classify_years=document.classify_years,
        copy_no=document.copy_no,
        main_recipients=main,
        copies_to=copies,
        signer_id=document.signer_id,
        note=document.note,
        publicity=Publicity(document.publicity),
        printing_organ=document.printing_organ,
        main_recipients_as=document.main_recipients_as,
        copies_to_as=document.copies_to_as,
    )


async def _attachments(document_id: UUID) -> list[AttachmentOut]:
    rows = await files.files_of(access.OUTGOING, [document_id])
    return [AttachmentOut(r.id, r.name, r.size, r.received, r.state, r.sha256, r.malware) for r in rows]


async def _opinions(kind: str, subject_id: UUID) -> list[OpinionOut]:
    return [
        OpinionOut(o.id, o.step_title, o.actor_name, o.organ_name, o.decision, o.text, o.at)
        for o in await access.opinions(kind, subject_id)
    ]


async def _route(subject_id: UUID) -> list[StepOut]:
    """The route as people read it: each round of a step once, with everybody it was open to."""
    rounds: dict[tuple[str, int], StepOut] = {}
    for row in await workflow.history(subject_id):
        found = rounds.setdefault(
            (row["step"], row["iteration"]), StepOut(row["step"], row["step_title"], "cancelled", [], None, None)
        )
        found.officials.append(row["official__name"])
        if row["state"] in {"done", "returned"}:
            found.state, found.acted_by, found.acted_at = row["state"], row["official__name"], row["done_at"]
        elif row["state"] == "open":
            found.state = "open"
    return list(rounds.values())


async def _history(subject_id: UUID) -> list[HistoryOut]:
    return [HistoryOut(r.at, r.actor_name, r.verb, audit.title_of(r.verb)) for r in await audit.of_subject(subject_id)]


async def board(document_id: UUID) -> list[ConsignmentOut]:
    """The sender's board: main recipients first, each in the order of the official list."""
    rows = await access.consignments(document_id)
    organs = await identity.organ_names([row["organ_id"] for row in rows])
    rows.sort(key=lambda row: (row["role"] != RecipientRole.MAIN, organs[row["organ_id"]].code))
    return [_consignment(row, Named(row["organ_id"], organs[row["organ_id"]].full_name)) for row in rows]


def _consignment(row: dict[str, Any], organ: Named) -> ConsignmentOut:
    return ConsignmentOut(
        row["id"],
        organ,
        row["role"],
        row["state"],
        IncomingState(row["state"]).title_zh,
        row["arrived_at"],
        row["signed_for_at"],
        row["signed_for_by"],
        _refusal(row["refusal_code"], row["refusal_text"]),
        row["receive_no"],
    )


async def receipt_file(arrived: IncomingDocument) -> ReceiptFile:
    """What the receiving organ signed. Raises NotFound while it has neither signed for the document nor refused it."""
    if arrived.receipt_id is None:
        raise NotFound(rules.NOT_SIGNED_FOR)
    signature = (await signing.signatures([arrived.receipt_id]))[arrived.receipt_id]
    return ReceiptFile(bytes(signature.content).decode(), base64.b64encode(bytes(signature.cms)).decode())


def _refusal(code: str | None, text: str | None) -> RefusalOut | None:
    return RefusalOut(code, RefusalCode(code).title_zh, text or "") if code else None


def _incoming_row(row: IncomingDocument) -> dict[str, Any]:
    names = ("id", "state", "title", "doc_no", "kind", "urgency", "source_organ", "role", "receive_no", "arrived_at")
    return {name: getattr(row, name) for name in names} | {"state_title": IncomingState(row.state).title_zh}


async def incoming_out(actor: Actor, document: IncomingDocument, language: str) -> IncomingOut:
    """The page of an incoming document."""
    at = await receiving.standing(actor, document)
    leader = await identity.names_of([document.leader_id]) if document.leader_id else {}
    unit = await identity.unit(document.unit_id) if document.unit_id else None
    receipt = None
    if document.state not in {IncomingState.ARRIVED, IncomingState.REFUSED}:
        receipt = ReceiptOut(document.signed_for_at, document.signed_for_by, document.sha256)
    return IncomingOut(
        **_incoming_row(document),
        classification=document.classification,
        sha256=document.sha256,
        proposal=document.proposal,
        leader=Named(document.leader_id, leader[document.leader_id]) if leader else None,
        unit=Named(unit.id, unit.name) if unit else None,
        result=document.result,
        receipt=receipt,
        refusal=_refusal(document.refusal_code, document.refusal_text),
        attachments=await _attachments(await access.document_of(document)),
        opinions=await _opinions(access.INCOMING, document.id),
        route=await _route(document.id),
        history=await _history(document.id),
        abilities=[ability_out(a, language) for a in rules.incoming_abilities(actor, document, at)],
        open_step=at.open_step,
        etag=receiving.etag_of(document),
    )
