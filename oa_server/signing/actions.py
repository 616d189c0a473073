"""The verbs of signing, in two halves around the key: prepare and hand out; assemble and keep.

`request…` prepares bytes and hands a signed request to the key agent; `assemble…` checks the raw signature, timestamps it
and builds the container, all outside any transaction; `keep` spends the request and stores the signature inside the unit
of work of the act that needed it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography import x509

from crypto.canonical import canonical_json
from crypto.cms import PreparedCms, finish_cms, prepare_cms
from crypto.errors import SignatureRefused
from crypto.pades import SealAppearance, finish_pdf, prepare_pdf
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import Invalid
from oa_server.core.ids import new_id
from oa_server.core.ports import Holder
from oa_server.identity import tokens
from oa_server.pki import access as pki
from oa_server.pki.actions import CertificateRegister
from oa_server.signing import access, rules
from oa_server.signing.models import Seal, SealState, Signature, SignatureRequest
from oa_server.storage.database import Lock, alone
from oa_server.storage.unit_of_work import Work, transition, unit_of_work

AGENT_TOKEN = "oa-signature-request"  # noqa: S105  the type of a token, not one
AGENT_AUDIENCE = "oa-agent"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a signature is for: the act, its subject, and the words the key agent shows before it signs."""

    verb: str
    subject_type: str
    subject_id: UUID
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """The certificate the official chose, with its chain, in DER."""

    certificate: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A signature request: its id, the compact JWS for the key agent, and until when it is good."""

    request_id: UUID
    request: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Assembled:
    """A checked signature that waits for its unit of work. `pdf` is set for seals."""

    request: SignatureRequest
    serial: str
    container: bytes
    at: datetime
    pdf: bytes = b""


class SigningDesk:
    """Prepares and assembles signatures with one certificate register and one token key set."""

    def __init__(self, register: CertificateRegister, keyset: tokens.KeySet, origin: str) -> None:
        self._register = register
        self._keyset = keyset
        self._origin = origin

    async def request_signature(self, actor: Actor, purpose: Purpose, content: dict[str, Any], key: KeyChoice) -> Asked:
        """Prepare an opinion or receipt over `content` for the actor's own signing key."""
        holder = await self._register.examine(key.certificate, key.chain, "signing")
        rules.check_own(holder, actor)
        data = canonical_json(content)
        certificate = x509.load_der_x509_certificate(key.certificate)
        prepared = prepare_cms(data, certificate, signing_time=clock.now())
        return await self._hand_out(actor, purpose, key, content=data, attributes=prepared.signed_attributes, state=b"")

    async def request_seal(
        self,
        actor: Actor,
        purpose: Purpose,
        pdf: bytes,
        organ_id: UUID,
        key: KeyChoice,
        box: Sequence[float],
        page: int,
    ) -> Asked:
        """Prepare the organ's seal on the frozen pages, its image at `box` (points) of `page`."""
        holder = await self._register.examine(key.certificate, key.chain, "seal")
        seal = rules.check_seal(holder, await access.seal_of(organ_id))
        trust = await pki.trust()
        left, bottom, right, top = box
        prepared = await asyncio.to_thread(
            prepare_pdf,
            pdf,
            certificate=x509.load_der_x509_certificate(key.certificate),
            appearance=SealAppearance(bytes(seal.image), page, (left, bottom, right, top), "Seal1"),
            name=seal.name,
            certificates=[*trust.intermediates, *trust.roots],
            crls=trust.crls,
        )
        return await self._hand_out(
            actor,
            purpose,
            key,
            content=b"",
            attributes=prepared.signed_attributes,
            state=prepared.state,
            digest=prepared.digest,
        )

    async def _hand_out(
        self,
        actor: Actor,
        purpose: Purpose,
        key: KeyChoice,
        *,
        content: bytes,
        attributes: bytes,
        state: bytes,
        digest: bytes = b"",
    ) -> Asked:
        clock.check_right()
        async with unit_of_work(actor) as work:
            # A request holds all that was to be signed, a whole PDF for a seal: it goes when nobody can use it any more.
            await SignatureRequest.filter(expires_at__lt=work.now - rules.REQUEST_KEPT).delete()
            row = await SignatureRequest.create(
                id=new_id(),
                official_id=actor.official_id,
                purpose=purpose.verb,
                subject_type=purpose.subject_type,
                subject_id=purpose.subject_id,
                certificate=key.certificate,
                content=content,
                signed_attributes=attributes,
                state=state,
                expires_at=work.now + rules.REQUEST_LIFE,
            )
            work.audit(
                Verb.SIGNATURE_REQUESTED,
                purpose.subject_type,
                purpose.subject_id,
                purpose=purpose.verb,
                digest=sha256(attributes).hexdigest(),
            )
        claims = {
            "origin": self._origin,
            "title": purpose.title,
            "lines": list(purpose.lines),
            "content": base64.b64encode(content).decode() or None,
            "signed_attributes": base64.b64encode(attributes).decode(),
            "digest": digest.hex() or None,
        }
        token = tokens.make(
            self._keyset,
            kind=AGENT_TOKEN,
            audience=AGENT_AUDIENCE,
            subject=str(actor.official_id),
            token_id=str(row.id),
            issued=clock.now(),
            expires=row.expires_at,
            claims=claims,
        )
        return Asked(row.id, token, row.expires_at)

    async def assemble(
        self, actor: Actor, request_id: UUID, signature: bytes, *, verb: str, subject_id: UUID
    ) -> Assembled:
        """Check a raw signature and build its container; nothing is stored yet.

        Raises NotFound, Conflict or Gone for the request, Denied when the certificate has gone bad meanwhile, and
        Invalid when the signature does not fit, Unavailable while the clock is wrong.
        """
        found = await access.request(request_id)
        request = rules.check_request(found, actor, verb, subject_id, clock.now())
        certificate = x509.load_der_x509_certificate(bytes(request.certificate))
        holder = await self._examine_again(request, actor)
        attributes = bytes(request.signed_attributes)
        chain = await self._chain()
        try:
            stamp = await self._register.stamp(sha256(signature).digest())
            if request.state:
                pdf = await asyncio.to_thread(
                    finish_pdf,
                    bytes(request.state),
                    attributes,
                    signature,
                    certificate=certificate,
                    chain=chain,
                    stamp=lambda _value: stamp,
                )
                return Assembled(request, holder.serial, b"", clock.now(), pdf)
            container = finish_cms(PreparedCms(attributes, certificate), signature, chain=chain, timestamp=stamp)
        except SignatureRefused as error:
            raise Invalid(rules.WRONG_SIGNATURE) from error
        return Assembled(request, holder.serial, container, clock.now())

    async def _examine_again(self, request: SignatureRequest, actor: Actor) -> Holder:
        """The holder of the certificate that was good when the request was made, if it still may sign this."""
        holder = await self._register.examine(bytes(request.certificate), (), "seal" if request.state else "signing")
        if request.state:
            rules.check_seal(holder, await access.seal_of(holder.organ_id) if holder.organ_id else None)
        else:
            rules.check_own(holder, actor)
        return holder

    async def _chain(self) -> tuple[x509.Certificate, ...]:
        trust = await pki.trust()
        return (*trust.intermediates, *trust.roots)


async def keep(work: Work, assembled: Assembled) -> Signature:
    """Spend the request and store the signature, inside the unit of work of the act it was made for.

    Raises Conflict when the request was used meanwhile, and Denied when the certificate was revoked meanwhile: until the
    act is done it is held, so that the revocation comes after it or the act does not come at all.
    """
    request = assembled.request
    await pki.held(assembled.serial)
    await transition(
        SignatureRequest, request.id, reason=rules.REQUEST_USED, expect={"used_at": None}, change={"used_at": work.now}
    )
    content = bytes(request.content)
    signature = await Signature.create(
        id=new_id(),
        purpose=request.purpose,
        subject_type=request.subject_type,
        subject_id=request.subject_id,
        official_id=request.official_id,
        certificate_serial=assembled.serial,
        content=content,
        content_sha256=sha256(assembled.pdf or content).hexdigest(),
        cms=assembled.container,
        signed_at=assembled.at,
    )
    work.audit(
        Verb.SIGNATURE_MADE,
        request.subject_type,
        request.subject_id,
        rows=[signature],
        purpose=request.purpose,
        serial=assembled.serial,
        digest=signature.content_sha256,
    )
    return signature


async def register_seal(
    actor: Actor, organ_id: UUID, *, name: str, image: bytes, diameter_mm: int, certificate_serial: str
) -> Seal:
    """Enter an organ's seal, its image and the certificate whose key makes it; the seal it had before is withdrawn.

    Raises Denied for whoever may not, and for a certificate that is no good seal certificate of the organ; Invalid for an
    image that is none.
    """
    rules.check(actor, "register_seal")
    rules.check_image(image)
    async with unit_of_work(actor) as work:
        await alone(Lock.SEALS)
        rules.check_seal_certificate(await pki.held(certificate_serial), organ_id)
        withdrawn = await Seal.filter(organ_id=organ_id, state=SealState.IN_USE)
        await Seal.filter(organ_id=organ_id, state=SealState.IN_USE).update(state=SealState.WITHDRAWN)
        seal = await Seal.create(
            id=new_id(),
            organ_id=organ_id,
            name=name,
            image=image,
            diameter_mm=diameter_mm,
            certificate_serial=certificate_serial,
            state=SealState.IN_USE,
        )
        rows = [seal, *withdrawn]
        work.audit(Verb.SEAL_REGISTERED, "seal", seal.id, rows=rows, organ=organ_id, serial=certificate_serial)
    return seal
