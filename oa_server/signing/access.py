"""Reading seals, signature requests and signatures."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from oa_server.signing.models import Seal, SealState, Signature, SignatureRequest


async def seal_of(organ_id: UUID) -> Seal | None:
    """The seal an organ uses now."""
    return await Seal.filter(organ_id=organ_id, state=SealState.IN_USE).first()


async def request(request_id: UUID) -> SignatureRequest | None:
    """The signature request with this id."""
    return await SignatureRequest.get_or_none(id=request_id)


async def signatures(ids: Collection[UUID]) -> dict[UUID, Signature]:
    """Signatures by id."""
    return {row.id: row for row in await Signature.filter(id__in=list(ids))} if ids else {}
