"""Signed opinions: what an official says at a step of the route, over the pages they read and the opinion before theirs.

The signed content is canonical JSON (`oa/opinion/1`) that can be judged by itself: it holds the elements with the digests
of the attachments, the digests of the pages and of their text, and the digest of the opinion before. What is kept of an
opinion in its row is always what was signed, never what came beside the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from crypto.canonical import parse_canonical
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Invalid
from oa_server.core.ids import new_id
from oa_server.documents import access, rules
from oa_server.documents.models import Opinion
from oa_server.identity import access as identity
from oa_server.signing import access as signing_access
from oa_server.signing import actions as signing
from oa_server.signing.actions import Assembled
from oa_server.storage.unit_of_work import Work

STEP_TITLES = {
    "unit_review": "部门审核",
    "office_review": "办公室核稿",
    "signing": "签发",
    "numbering": "复核",
    "instruct": "批示",
    "handle": "承办",
}
DECISIONS = {"approve": "agree", "return": "return", "sign": "issue", "instruct": "instruct", "finish": "handled"}
REQUEST_TITLES = {"approve": "审核同意", "return": "退回", "sign": "签发", "instruct": "批示", "finish": "承办"}


@dataclass(frozen=True, slots=True)
class Matter:
    """What an opinion is about: a document, the pages that are read, and what else of it is signed along."""

    subject_type: str
    id: UUID
    title: str
    pages_sha256: str | None
    also: Mapping[str, Any] = field(default_factory=dict)


async def content_of(actor: Actor, matter: Matter, *, verb: str, step: str, text: str) -> dict[str, Any]:
    """What the actor is to sign. Raises Invalid when they say nothing."""
    if not text.strip():
        raise Invalid(rules.REASON_NEEDED if verb == "return" else rules.OPINION_NEEDED)
    return {
        "type": "oa/opinion/1",
        "document": str(matter.id),
        "title": matter.title,
        "step": step,
        "decision": DECISIONS[verb],
        "text": text,
        "pages_sha256": matter.pages_sha256,
        "previous": (await _last(matter)).sha256,
        "actor": await actor_content(actor),
        "at": clock.now().isoformat(timespec="seconds"),
        **matter.also,
    }


async def actor_content(actor: Actor) -> dict[str, Any]:
    """Who signs, as the signed content names them."""
    assert actor.organ_id is not None
    organ = await identity.organ(actor.organ_id)
    return {"id": str(actor.official_id), "name": actor.name, "organ": organ.full_name}


async def keep(work: Work, matter: Matter, signed: Assembled) -> Opinion:
    """Store the signed opinion, if what it signs is still what stands: these pages, after that last opinion."""
    content = signed_content(signed)
    last = await _last(matter)
    if content["pages_sha256"] != matter.pages_sha256 or content["previous"] != last.sha256:
        raise Conflict(rules.PAGES_CHANGED)
    signature = await signing.keep(work, signed)
    return await Opinion.create(
        # Opinions are read in the order of their ids, also when the clock was set back between two of them.
        id=new_id(after=last.id),
        subject_type=matter.subject_type,
        subject_id=matter.id,
        step=content["step"],
        step_title=STEP_TITLES[content["step"]],
        official_id=work.actor.official_id,
        actor_name=content["actor"]["name"],
        organ_name=content["actor"]["organ"],
        decision=content["decision"],
        text=content["text"],
        at=work.now,
        signature_id=signature.id,
    )


def signed_content(signed: Assembled) -> Any:
    """What a checked signature is over."""
    return parse_canonical(bytes(signed.request.content))


def needed(signed: Assembled | None) -> Assembled:
    """The checked signature that a verb must come with. Raises Invalid."""
    if signed is None:
        raise Invalid(rules.SIGNATURE_NEEDED)
    return signed


async def issued(document_id: UUID) -> Mapping[str, Any]:
    """What the leader signed when issuing the document: every later step is held against it."""
    found = await access.opinions(access.OUTGOING, document_id)
    issuing = next(opinion for opinion in reversed(found) if opinion.decision == DECISIONS["sign"])
    signature = (await signing_access.signatures([issuing.signature_id]))[issuing.signature_id]
    content: Mapping[str, Any] = parse_canonical(bytes(signature.content))
    return content


@dataclass(frozen=True, slots=True)
class _Link:
    """The last opinion on a subject, and the digest of its signed content, which the next opinion signs."""

    id: UUID | None = None
    sha256: str | None = None


async def _last(matter: Matter) -> _Link:
    before = await access.opinions(matter.subject_type, matter.id)
    if not before:
        return _Link()
    last = before[-1]
    signatures = await signing_access.signatures([last.signature_id])
    return _Link(last.id, signatures[last.signature_id].content_sha256)
