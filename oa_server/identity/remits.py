"""What organs answer for (主要职责), as the rules of their establishment list it. The list of an organ is kept as a whole."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import STALE, Conflict, Invalid, PreconditionFailed
from oa_server.core.ids import new_id
from oa_server.identity import access, rules
from oa_server.identity.keeping import change, hold_directory
from oa_server.identity.models import Organ, Remit
from oa_server.storage.unit_of_work import Work, unit_of_work
from oa_server.web.workbooks import is_plain


async def keep_remits(actor: Actor, organ_id: UUID, etag: str, texts: Collection[str]) -> None:
    """Say what an organ answers for. Raises Denied, NotFound, PreconditionFailed, Invalid for bad texts, Conflict when it is
    retired."""
    rules.check(actor, "keep_directory")
    if wrong := [text for text in texts if not is_plain(text)]:
        raise Invalid(rules.BAD_WORDS, texts=wrong)
    async with unit_of_work(actor) as work:
        await hold_directory()
        organ = await access.organ(organ_id)
        if organ.retired_at is not None:
            raise Conflict(rules.RETIRED)
        if access.etag_of_list(await access.remits_of(organ_id)) != etag:
            raise PreconditionFailed(STALE)
        await keep_held(work, organ, texts)


async def keep_held(work: Work, organ: Organ, texts: Collection[str]) -> None:
    """Make this the list of an organ of the directory that is held; what says the same stays the same row."""
    held = {row.text: row for row in await access.remits_of(organ.id)}
    gone = [row for text, row in held.items() if text not in texts]
    new, moved = [], []
    for position, text in enumerate(dict.fromkeys(texts)):
        if text not in held:
            new.append(Remit(id=new_id(), organ_id=organ.id, text=text, position=position))
        elif await change(held[text], {"position": position}):
            moved.append(held[text])
    await Remit.filter(id__in=[row.id for row in gone]).delete()
    await Remit.bulk_create(new)
    if gone or new or moved:
        entered, dropped = ([row.text for row in rows] for rows in (new, gone))
        work.audit(
            Verb.REMITS_KEPT, "organ", organ.id, rows=moved, made=new, removed=gone, code=organ.code, entered=entered,
            dropped=dropped,
        )  # fmt: skip
