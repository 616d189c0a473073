"""Rows as they are shown: seals with what they rest on, and the uses of a certificate from both places that know them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from oa_server.audit import access as audit
from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Invalid, NotFound
from oa_server.core.ids import moment_of
from oa_server.core.ports import ports
from oa_server.identity import access as identity
from oa_server.pki import access as pki
from oa_server.pki import answers as certificates
from oa_server.signing import access
from oa_server.signing.actions import Assembled, KeyChoice, SigningDesk
from oa_server.signing.models import Seal, Signature
from oa_server.signing.schemas import SealOut, SignatureIn, UseOut
from oa_server.web.bodies import INVALID
from oa_server.web.shapes import Named

RECEIPT = "sign_for"


def chosen_key(certificate: str, chain: Sequence[str]) -> KeyChoice:
    """The certificate that somebody is going to sign with, as it comes over the wire. Raises Invalid."""
    return KeyChoice(_octets(certificate), tuple(map(_octets, chain)))


async def assembled(
    desk: SigningDesk, actor: Actor, subject_id: UUID, verb: str, signature: SignatureIn | None
) -> Assembled | None:
    """The checked signature that an act came with; None when it came without. Raises what `SigningDesk.assemble` does."""
    if signature is None:
        return None
    value = _octets(signature.value)
    return await desk.assemble(actor, signature.request_id, value, verb=verb, subject_id=subject_id)


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Invalid(INVALID, str(error)) from None


async def seal_rows(rows: Sequence[Seal]) -> list[SealOut]:
    """Rows of the list of seals."""
    serials = {row.certificate_serial for row in rows}
    shown = {row.serial: row for row in await certificates.certificate_rows(await pki.by_serials(serials))}
    organs = await identity.organ_names({row.organ_id for row in rows})
    keepers = await identity.names_with(Role.SEAL_KEEPER, {row.organ_id for row in rows})
    uses = await access.seal_uses(serials)
    return [
        SealOut(
            id=row.id,
            organ=Named(row.organ_id, organs[row.organ_id].full_name),
            name=row.name,
            state=row.state,
            diameter_mm=row.diameter_mm,
            keepers=keepers.get(row.organ_id, []),
            certificate=shown.get(row.certificate_serial),
            uses=uses.get(row.certificate_serial, 0),
            registered_at=moment_of(row.id),
        )
        for row in rows
    ]


async def uses(actor: Actor, serial: str, after: UUID | None, limit: int) -> list[UseOut]:
    """A page of the uses of a certificate, the newest first: sign-ins stand in the log, what was signed in its own table.

    Both are named by identifiers that grow with time, so the page is the newest of both.
    """
    signed = await access.made_with(serial, after, limit)
    entries = await audit.of_certificate(serial, {Verb.SIGNED_IN}, after, limit)
    newest = sorted([*signed, *entries], key=lambda row: row.id, reverse=True)[:limit]
    people = await identity.people({row.official_id for row in signed})
    organs = await identity.organ_short_names({entry.organ_id for entry in entries if entry.organ_id})
    return [
        await _signature_use(actor, row, people[row.official_id])
        if isinstance(row, Signature)
        else _sign_in_use(row, organs)
        for row in newest
    ]


def _sign_in_use(entry: Any, organs: dict[UUID, str]) -> UseOut:
    return UseOut(
        entry.id,
        entry.at,
        "sign_in",
        "signed_in",
        entry.actor_name,
        organs.get(entry.organ_id, ""),
        entry.address,
        None,
        None,
    )


async def _signature_use(actor: Actor, row: Signature, by: identity.Person) -> UseOut:
    return UseOut(
        id=row.id,
        at=row.signed_at,
        kind=_kind(row.purpose),
        act=row.purpose,
        by=by.name,
        organ=by.organ,
        address=None,
        digest=row.content_sha256,
        document=await _document(actor, row),
    )


def _kind(purpose: str) -> Literal["signature", "seal", "receipt"]:
    if purpose == access.SEALING:
        return "seal"
    return "receipt" if purpose == RECEIPT else "signature"


async def _document(actor: Actor, row: Signature) -> str | None:
    """The number and title of what was sealed, for who may read it: an administrator may not."""
    gate = ports.subjects.get(row.subject_type)
    if row.purpose != access.SEALING or gate is None or ports.pages is None:
        return None
    try:
        await gate.check_readable(actor, row.subject_id)
    except NotFound:
        return None
    known = await ports.pages.find(row.content_sha256)
    return f"{known.doc_no}　{known.title}" if known else None
