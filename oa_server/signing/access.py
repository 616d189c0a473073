"""Reading seals, signature requests and signatures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from oa_server.core.actor import Actor
from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.signing import rules
from oa_server.signing.models import Seal, SealState, Signature, SignatureRequest
from oa_server.storage.fields import Count, Q, QuerySet

SEALING = "seal"


async def seal_of(organ_id: UUID) -> Seal | None:
    """The seal an organ uses now."""
    return await Seal.filter(organ_id=organ_id, state=SealState.IN_USE).first()


async def request(request_id: UUID) -> SignatureRequest | None:
    """The signature request with this id."""
    return await SignatureRequest.get_or_none(id=request_id)


async def signatures(ids: Collection[UUID]) -> dict[UUID, Signature]:
    """Signatures by id."""
    return {row.id: row for row in await Signature.filter(id__in=list(ids))} if ids else {}


@dataclass(frozen=True, slots=True)
class SealFilter:
    """How the list of seals is narrowed and ordered; `words` are looked for in names, the certificate and the organ's code."""

    words: str = ""
    state: str | None = None
    oldest_first: bool = False
    after: UUID | None = None
    limit: int = 50


async def seal_list(actor: Actor, wanted: SealFilter) -> list[Seal]:
    """A page of the seals that concern the actor: all for administrators, the own organ's for its keepers. Raises Denied."""
    rows = _seen(actor)
    if wanted.words:
        holding = ("name", "certificate_serial", "organ__short_name", "organ__code")
        rows = rows.filter(Q(*(Q(**{f"{name}__contains": wanted.words}) for name in holding), join_type=Q.OR))
    if wanted.state:
        rows = rows.filter(state=wanted.state)
    if wanted.after:
        rows = rows.filter(**{"id__gt" if wanted.oldest_first else "id__lt": wanted.after})
    return await rows.order_by("id" if wanted.oldest_first else "-id").limit(wanted.limit)


async def seal(actor: Actor, seal_id: UUID) -> Seal:
    """One seal. Raises Denied, NotFound."""
    found = await _seen(actor).get_or_none(id=seal_id)
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


def _seen(actor: Actor) -> QuerySet[Seal]:
    rules.check_sees_seals(actor)
    return Seal.all() if rules.sees_every_seal(actor) else Seal.filter(organ_id=actor.organ_id)


async def seal_counts(actor: Actor) -> dict[str, int]:
    """How many seals there are in each state. Raises Denied."""
    return {state.value: await _seen(actor).filter(state=state).count() for state in SealState}


async def seal_uses(serials: Collection[str]) -> dict[str, int]:
    """How often each of these certificates sealed; those that never did are missing from the answer."""
    rows = Signature.filter(certificate_serial__in=list(serials), purpose=SEALING).annotate(uses=Count("id"))
    found: Any = await rows.group_by("certificate_serial").values_list("certificate_serial", "uses") if serials else []
    return dict(found)


async def made_with(serial: str, after: UUID | None, limit: int) -> list[Signature]:
    """What was signed and sealed with a certificate, the newest first, without what was signed."""
    rows = Signature.filter(certificate_serial=serial)
    return await (rows.filter(id__lt=after) if after else rows).order_by("-id").limit(limit)
