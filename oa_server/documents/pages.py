"""Pages of a document: made from its rows, laid out in a worker thread, kept in the object store by digest."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import PurePath
from typing import Any
from uuid import UUID

from crypto.canonical import canonical_json
from oa_server.core import clock
from oa_server.core.ids import new_id
from oa_server.documents import access
from oa_server.documents.layout.model import DocumentLayout, parse_body
from oa_server.documents.layout.render import EmbeddedFile, RenderedPages, render
from oa_server.documents.models import OutgoingDocument, Rendition
from oa_server.documents.office import Office
from oa_server.documents.states import UPWARD_KINDS, Classification, DocKind, RecipientRole, RenditionKind, Urgency
from oa_server.files import access as files
from oa_server.identity import access as identity
from oa_server.signing import access as signing
from oa_server.storage.objects import ObjectStore
from oa_server.storage.snapshots import Named

SEAL_DIAMETER_MM = 42
_CLEAR = re.compile(r"pages/[0-9a-f]{2}/([0-9a-f]{64})\.pdf")


def pages_key(sha256: str) -> str:
    """Where rendered pages lie in the object store: by their digest, so nothing can be put in their place."""
    return f"pages/{sha256[:2]}/{sha256}.enc"


NAMED = Named("SELECT DISTINCT sha256 FROM rendition", pages_key)


def _clear_key(key: str) -> str | None:
    """Where `key`, of pages that lie in clear, belongs now; None for every other object. Until version 0015 of the database
    pages were kept so; their names differ, because a backup knows an object's bytes by its name."""
    found = _CLEAR.fullmatch(key)
    return pages_key(found[1]) if found else None


async def encrypt_kept(store: ObjectStore, sealed: ObjectStore) -> int:
    """Encrypt the pages that lie in clear, and take those away. Returns how many there were. Raises Unavailable."""
    found = {key: place for key in await store.keys() if (place := _clear_key(key))}
    for key, place in found.items():
        await sealed.put(place, await store.get(key))
        await store.delete(key)
    return len(found)


async def compose(document: OutgoingDocument) -> DocumentLayout:
    """What the pages of a document show, from its rows as they stand."""
    recipients = await access.recipients(document.id)
    return await compose_from(
        document,
        main=access.organs_as(recipients, RecipientRole.MAIN),
        copies=access.organs_as(recipients, RecipientRole.COPY),
    )


async def compose_from(document: OutgoingDocument, *, main: Sequence[UUID], copies: Sequence[UUID]) -> DocumentLayout:
    """As `compose`, for recipients that are not stored yet (the live preview)."""
    organ = await identity.organ(document.organ_id)
    organs = await identity.organ_names([*main, *copies])
    attached = [f for f in await files.files_of("outgoing", [document.id]) if f.is_ready]
    signer = await identity.names_of([document.signer_id]) if document.signer_id else {}
    upward = DocKind(document.kind) in UPWARD_KINDS
    seal = await signing.seal_of(organ.id)
    return DocumentLayout(
        issuer_mark=organ.issuer_mark or organ.full_name,
        title=document.title,
        main_recipients=_named(document.main_recipients_as, [organs[i].full_name for i in main if i in organs]),
        body=parse_body(document.body),
        issuer_signature=organ.full_name,
        doc_no=document.doc_no or None,
        number_word=organ.issuing_word,
        doc_date=document.doc_date,
        print_date=document.doc_date,
        signers=tuple(signer.values()) if upward else (),
        copy_no=document.copy_no if _is_secret(document) else "",
        classification=_classification(document),
        urgency="" if document.urgency == Urgency.NORMAL else Urgency(document.urgency).title_zh,
        attachment_note=tuple(PurePath(f.name).stem for f in attached),
        note=document.note,
        copies_to=_named(document.copies_to_as, [organs[i].short_name for i in copies if i in organs]),
        printing_organ=document.printing_organ or organ.full_name,
        seal_diameter_mm=seal.diameter_mm if seal else SEAL_DIAMETER_MM,
    )


def _named(collective: str, names: Sequence[str]) -> tuple[str, ...]:
    """Recipients as the pages name them: under a collective name where the drafter gave one."""
    return (collective,) if collective and names else tuple(names)


def _classification(document: OutgoingDocument) -> str:
    """密级★期限 (GB/T 9704-2012, 7.2.2); what is no state secret carries no mark."""
    if not _is_secret(document):
        return ""
    years = f"★{document.classify_years}年" if document.classify_years else ""
    return Classification(document.classification).title_zh + years


def _is_secret(document: OutgoingDocument) -> bool:
    return Classification(document.classification).longest_years is not None


async def lay_out(
    office: Office,
    layout: DocumentLayout,
    made_at: datetime,
    *,
    final: bool = False,
    embedded: Sequence[EmbeddedFile] = (),
) -> RenderedPages:
    """Render in a worker thread, as this installation sets its pages."""
    return await asyncio.to_thread(
        render,
        layout,
        fonts=office.fonts,
        made_at=made_at,
        final=final,
        embedded=embedded,
        settings=await office.page_settings(),
    )


async def keep(office: Office, document_id: UUID, kind: RenditionKind, rendered: RenderedPages) -> Rendition:
    """Make rendered pages durable in the object store, and the row that will name them; the caller saves the row."""
    await office.store.put(pages_key(rendered.sha256), rendered.pdf)
    return Rendition(
        id=new_id(),
        document_id=document_id,
        kind=kind,
        sha256=rendered.sha256,
        size=len(rendered.pdf),
        pages=rendered.page_count,
        seal_page=rendered.seal_position.page if rendered.seal_position else 0,
        # Hundredths of a point: protected rows hold no floating-point numbers, whose text is not the same everywhere.
        seal_box=[round(edge * 100) for edge in rendered.seal_position.box] if rendered.seal_position else [],
        at=clock.now(),
    )


async def keep_sealed(office: Office, frozen: Rendition, pdf: bytes) -> Rendition:
    """Make the sealed file durable: the same pages in a further revision, with a digest of its own."""
    digest = sha256(pdf).hexdigest()
    await office.store.put(pages_key(digest), pdf)
    return Rendition(
        id=new_id(),
        document_id=frozen.document_id,
        kind=RenditionKind.SEALED,
        sha256=digest,
        size=len(pdf),
        pages=frozen.pages,
        seal_page=frozen.seal_page,
        seal_box=frozen.seal_box,
        at=clock.now(),
    )


async def signed_opinions(document: OutgoingDocument) -> list[EmbeddedFile]:
    """The opinions of a document with their signatures, as they travel inside its frozen pages."""
    opinions = await access.opinions(access.OUTGOING, document.id)
    signatures = await signing.signatures([opinion.signature_id for opinion in opinions])
    found = []
    for number, opinion in enumerate(opinions, start=1):
        signature = signatures[opinion.signature_id]
        words = f"{opinion.step_title} {opinion.actor_name}"
        found += [
            EmbeddedFile(
                name=f"opinion-{number}.json",
                mime_type="application/json",
                data=bytes(signature.content),
                description=f"意见：{words}",
            ),
            EmbeddedFile(
                name=f"opinion-{number}.p7s",
                mime_type="application/pkcs7-signature",
                data=bytes(signature.cms),
                description=f"意见签名：{words}",
            ),
        ]
    return found


async def elements(document: OutgoingDocument) -> dict[str, Any]:
    """The elements that opinions sign, as JSON values, from the rows as they stand: the attachments are among them."""
    recipients = await access.recipients(document.id)
    later = ("main_recipients_as", "copies_to_as", "copy_no")
    return {
        # Only where there is one: what was submitted before there were such elements stays what it was.
        **{name: value for name in later if (value := getattr(document, name))},
        "kind": document.kind,
        "title": document.title,
        "urgency": document.urgency,
        "classification": document.classification,
        "classify_years": document.classify_years,
        "main_recipients": [str(i) for i in access.organs_as(recipients, RecipientRole.MAIN)],
        "copies_to": [str(i) for i in access.organs_as(recipients, RecipientRole.COPY)],
        "signer": str(document.signer_id) if document.signer_id else None,
        "note": document.note,
        "publicity": document.publicity,
        "printing_organ": document.printing_organ,
        "attachments": await access.attachments(document.id),
    }


def description(document: OutgoingDocument, elements: dict[str, Any]) -> EmbeddedFile:
    """`document.json`: the elements for machines that read the file."""
    content = elements | {"doc_no": document.doc_no, "doc_date": str(document.doc_date), "id": str(document.id)}
    return EmbeddedFile(
        name="document.json", mime_type="application/json", data=canonical_json(content), description="公文要素"
    )
