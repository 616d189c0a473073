"""Reading organs, people and sessions. The directory of organs is open to every signed-in official; sessions are not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from oa_server.core import clock
from oa_server.core.actor import Actor, Role, sufficient
from oa_server.core.errors import NOT_FOUND, NotFound
from oa_server.identity import rules
from oa_server.identity.models import (
    ApiClient,
    Challenge,
    ClientState,
    Duty,
    Official,
    Organ,
    Post,
    Remit,
    Responsibility,
    RoleChange,
    RoleChangeState,
    Session,
    Unit,
)
from oa_server.storage.database import select
from oa_server.storage.fields import Model, Q, QuerySet
from oa_server.storage.protection import digest_of

DIRECTORY_LIMIT = 5000

Row = TypeVar("Row")
Listed = TypeVar("Listed", bound=Model)


async def organ(organ_id: UUID) -> Organ:
    """One organ. Raises NotFound."""
    return _found(await Organ.get_or_none(id=organ_id))


async def official(official_id: UUID) -> Official:
    """One official. Raises NotFound."""
    return _found(await Official.get_or_none(id=official_id))


async def official_by_code(code: str) -> Official:
    """One official by staff number. Raises NotFound."""
    return _found(await Official.get_or_none(code=code))


async def unit(unit_id: UUID) -> Unit:
    """One unit. Raises NotFound."""
    return _found(await Unit.get_or_none(id=unit_id))


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound(NOT_FOUND)
    return row


async def organs(query: str = "") -> list[dict[str, Any]]:
    """The organs in use whose names or code hold `query`, in the order of the official list (by code)."""
    rows = Organ.filter(retired_at=None)
    if query:
        rows = rows.filter(Q(full_name__contains=query) | Q(short_name__contains=query) | Q(code__contains=query))
    return (
        await rows.order_by("code")
        .limit(DIRECTORY_LIMIT)
        .values("id", "code", "full_name", "short_name", "level", "superior_id", "issuing_word", "issuer_mark")
    )


async def retired_organs() -> list[dict[str, Any]]:
    """The organs that are there no more, by code."""
    rows = Organ.exclude(retired_at=None).order_by("code").limit(DIRECTORY_LIMIT)
    return await rows.values("id", "code", "full_name", "short_name", "level", "superior_id")


async def organs_in_use(ids: Collection[UUID]) -> set[UUID]:
    """Those of these organs that are there and not retired."""
    found: Any = await Organ.filter(id__in=list(ids), retired_at=None).values_list("id", flat=True)
    return set(found)


async def superiors() -> dict[str, str]:
    """Every organ's code with that of its superior, empty when it has none."""
    rows = await Organ.all().values("code", "superior__code")
    return {row["code"]: row["superior__code"] or "" for row in rows}


async def superior_ids() -> dict[UUID, UUID | None]:
    """Every organ with the one above it."""
    rows: Any = await Organ.all().values_list("id", "superior_id")
    return dict(rows)


class OrganNames(NamedTuple):
    """What an organ is called: by its code, in full, and in lists."""

    code: str
    full_name: str
    short_name: str


async def organ_names(ids: Collection[UUID]) -> dict[UUID, OrganNames]:
    """The names of the organs with these ids; unknown ids are missing from the answer."""
    if not ids:
        return {}
    rows: Any = await Organ.filter(id__in=list(ids)).values_list("id", "code", "full_name", "short_name")
    return {key: OrganNames(*names) for key, *names in rows}


async def organ_short_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """The short names of the organs with these ids (`core.ports.OrganNames`)."""
    return {key: names.short_name for key, names in (await organ_names(ids)).items()}


async def unit_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of units by id."""
    rows: Any = await Unit.filter(id__in=list(ids)).values_list("id", "name") if ids else []
    return dict(rows)


async def remits_of(organ_id: UUID) -> list[Remit]:
    """What an organ answers for, in the order of its list."""
    return await Remit.filter(organ_id=organ_id).order_by("position", "id")


async def every_remit() -> list[Remit]:
    """What all organs answer for, each in the order of its list, with those of organs that are no more."""
    return await Remit.all().order_by("organ__code", "position", "id")


async def remits_in_use() -> list[tuple[UUID, str]]:
    """What each organ that stands answers for: the organ and the phrase, in the order of the official list."""
    rows = Remit.filter(organ__retired_at=None).order_by("organ__code", "position", "id")
    found: Any = await rows.values_list("organ_id", "text")
    return list(found)


async def units_of(organ_id: UUID) -> list[Unit]:
    """The units in use of an organ, in the order of its list."""
    return await Unit.filter(organ_id=organ_id, retired_at=None).order_by("position", "name")


async def posts_of(organ_id: UUID) -> list[dict[str, Any]]:
    """Posts of an organ with the officials in them, in the order units list them."""
    return (
        await Post.filter(organ_id=organ_id, official__active=True)
        .order_by("position")
        .values("id", "official_id", "official__name", "official__code", "unit_id", "title", "is_principal")
    )


async def every_organ() -> list[Organ]:
    """All organs there are and were."""
    return await Organ.all().order_by("code")


async def every_unit() -> list[Unit]:
    """All units there are and were, in the order of their lists."""
    return await Unit.all().order_by("organ__code", "position", "name")


async def every_official() -> list[Official]:
    """All officials there are and were."""
    return await Official.all()


async def every_post() -> list[Post]:
    """All posts, each official's first one first."""
    return await Post.all().order_by("organ__code", "position", "id")


async def officials(ids: Collection[UUID]) -> list[Official]:
    """The officials with these ids."""
    return await Official.filter(id__in=list(ids)) if ids else []


async def all_units_of(organ_id: UUID) -> list[Unit]:
    """The units of an organ with those that are retired."""
    return await Unit.filter(organ_id=organ_id).order_by("position", "name")


async def all_posts_of(organ_id: UUID) -> list[Post]:
    """The posts of an organ with those of people who have left."""
    return await Post.filter(organ_id=organ_id).order_by("position", "id")


async def roles_by_unit(officials: Collection[UUID] | None = None) -> dict[tuple[UUID, UUID], set[Role]]:
    """The roles that these officials, or all, hold, by the unit in which they are held."""
    held: dict[tuple[UUID, UUID], set[Role]] = {}
    rows = Responsibility.all() if officials is None else Responsibility.filter(official_id__in=list(officials))
    for row in await rows:
        held.setdefault((row.official_id, row.unit_id), set()).add(Role(row.role))
    return held


async def people_like(actor: Actor, words: str, limit: int = 50) -> dict[UUID, Person]:
    """Officials in office whose name or number holds `words`. Raises Denied."""
    rules.check(actor, "see_roles")
    rows = Official.filter(Q(name__contains=words) | Q(code__contains=words), active=True)
    found: Any = await rows.order_by("code").limit(limit).values_list("id", flat=True)
    return await people(found)


async def post(post_id: UUID) -> Post:
    """One post. Raises NotFound."""
    return _found(await Post.get_or_none(id=post_id))


async def posts_held(official_id: UUID) -> list[Post]:
    """The posts of an official, the one they act in first."""
    return await Post.filter(official_id=official_id).order_by("position", "id")


async def roles_held(official_id: UUID) -> list[Responsibility]:
    """Every role of an official, in whichever organ."""
    return await Responsibility.filter(official_id=official_id).order_by("organ_id", "role")


async def responsibility(responsibility_id: UUID) -> Responsibility:
    """One role that somebody holds. Raises NotFound."""
    return _found(await Responsibility.get_or_none(id=responsibility_id))


async def retired_officials(organ_id: UUID) -> list[dict[str, Any]]:
    """Who had a post in an organ and has left."""
    rows = Post.filter(organ_id=organ_id, official__active=False).order_by("position")
    return await rows.values("official_id", "official__name", "official__code", "official__retired_at", "title")


# --- roles that are being given ---------------------------------------------------------------------------------------


async def role_changes(
    actor: Actor,
    *,
    state: str | None = None,
    official_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> list[RoleChange]:
    """A page of the roles that were proposed, the latest first. Raises Denied."""
    rules.check(actor, "see_roles")
    rows = RoleChange.all()
    if state:
        rows = rows.filter(state=state)
    if official_id:
        rows = rows.filter(official_id=official_id)
    if after:
        rows = rows.filter(id__lt=after)
    return await rows.order_by("-id").limit(limit)


async def role_changes_named(actor: Actor, ids: Collection[UUID]) -> list[RoleChange]:
    """The proposals with these ids. Raises Denied, and NotFound unless all are there."""
    rules.check(actor, "see_roles")
    rows = await RoleChange.filter(id__in=list(ids)).order_by("id")
    if len(rows) < len(set(ids)):
        raise NotFound(NOT_FOUND)
    return rows


async def role_changes_open() -> int:
    """How many proposals wait for a second administrator."""
    return await RoleChange.filter(state=RoleChangeState.PENDING).count()


# --- rosters ----------------------------------------------------------------------------------------------------------


async def duty(duty_id: UUID) -> Duty:
    """One duty. Raises NotFound."""
    return _found(await Duty.get_or_none(id=duty_id))


async def duties(since: datetime, until: datetime, organ_id: UUID | None = None) -> list[Duty]:
    """The duties that touch the time from `since` to `until`, in their order."""
    rows = Duty.filter(starts_at__lt=until, ends_at__gt=since)
    if organ_id:
        rows = rows.filter(organ_id=organ_id)
    return await rows.order_by("starts_at", "id").limit(DIRECTORY_LIMIT)


async def duties_of(official_id: UUID, since: datetime, until: datetime) -> list[Duty]:
    """When an official is on duty in a stretch of time, wherever it is."""
    return await Duty.filter(official_id=official_id, starts_at__lt=until, ends_at__gt=since).order_by("starts_at")


def etag_of(row: Model) -> str:
    """What names the state of a row that was read: its digest, as the audit log holds it."""
    return digest_of(row)[:32]


def etag_of_list(rows: Sequence[Model]) -> str:
    """What names the state of a list that is changed as a whole."""
    return sha256("\n".join(map(digest_of, rows)).encode()).hexdigest()[:32]


async def roles_in(organ_id: UUID) -> dict[UUID, set[Role]]:
    """The roles each official holds in an organ."""
    held: dict[UUID, set[Role]] = {}
    for row in await Responsibility.filter(organ_id=organ_id).values("official_id", "role"):
        held.setdefault(row["official_id"], set()).add(Role(row["role"]))
    return held


async def roles_of(official_id: UUID, organ_id: UUID) -> frozenset[Role]:
    """The roles of one official in one organ, read anew each time so that a change takes effect at once."""
    rows: Any = await Responsibility.filter(official_id=official_id, organ_id=organ_id).values_list("role", flat=True)
    return frozenset(Role(role) for role in rows)


async def post_of(official_id: UUID) -> Post | None:
    """The first post of an active official: where they act when they sign in."""
    return await Post.filter(official_id=official_id, official__active=True).order_by("position", "id").first()


async def holders(role: Role, *, organ_id: UUID, unit_id: UUID | None = None) -> list[UUID]:
    """Who holds a role in an organ, or in one unit of it, and acts there: a task elsewhere would wait for ever."""
    rows = Responsibility.filter(role=role, organ_id=organ_id, official__active=True)
    if unit_id is not None:
        rows = rows.filter(unit_id=unit_id)
    found: Sequence[Any] = await rows.order_by("id").values_list("official_id", flat=True)
    acts_in = await _acting_in(found)
    return [official for official in found if acts_in.get(official) == organ_id]


async def cleared(officials: Collection[UUID | None], organ_id: UUID, needed: Role) -> list[UUID]:
    """Those among some officials who are cleared in an organ for what asks for `needed`, in the order given."""
    rows = Responsibility.filter(organ_id=organ_id, role__in=sufficient(needed), official_id__in=list(officials))
    found = set(await rows.values_list("official_id", flat=True)) if officials else set()
    return [official for official in officials if official in found]


async def cleared_holders(role: Role, organ_ids: Collection[UUID], needed: Role) -> dict[UUID, list[UUID]]:
    """Those who hold a role in each of some organs, act there, and are cleared for what asks for `needed`."""
    held: dict[tuple[UUID, UUID], set[str]] = {}
    asked = {"organ_id__in": list(organ_ids), "role__in": [role, *sufficient(needed)], "official__active": True}
    for row in await Responsibility.filter(**asked).order_by("id").values("organ_id", "official_id", "role"):
        held.setdefault((row["organ_id"], row["official_id"]), set()).add(row["role"])
    both = [place for place, roles in held.items() if role in roles and len(roles) > 1]
    acts_in = await _acting_in([official for _organ, official in both])
    found: dict[UUID, list[UUID]] = {organ_id: [] for organ_id in organ_ids}
    for organ_id, official in both:
        if acts_in.get(official) == organ_id:
            found[organ_id].append(official)
    return found


async def _acting_in(officials: Collection[UUID]) -> dict[UUID, UUID]:
    """The organ of each official's first post."""
    found: dict[UUID, UUID] = {}
    for post in await Post.filter(official_id__in=list(officials)).order_by("position", "id"):
        found.setdefault(post.official_id, post.organ_id)
    return found


async def names_with(role: Role, organ_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """The active officials who hold a role in each of some organs, by name."""
    held: dict[UUID, list[str]] = {}
    rows = Responsibility.filter(role=role, organ_id__in=list(organ_ids), official__active=True)
    found = await rows.values("organ_id", "official__name") if organ_ids else []
    # Sorted here: each database has its own order of Chinese names.
    for row in sorted(found, key=itemgetter("official__name")):
        held.setdefault(row["organ_id"], []).append(row["official__name"])
    return held


async def names_of(ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of officials by id."""
    if not ids:
        return {}
    return {row["id"]: row["name"] for row in await Official.filter(id__in=list(ids)).values("id", "name")}


class Person(NamedTuple):
    """An official as a register shows them: staff number, name, and where they act."""

    code: str
    name: str
    organ: str
    unit: str


async def people(ids: Collection[UUID]) -> dict[UUID, Person]:
    """The officials with these ids in their first posts; unknown ids are missing from the answer."""
    if not ids:
        return {}
    posts = Post.filter(official_id__in=list(ids)).order_by("-position", "-id")
    # The first post comes last, and stays.
    where = {
        row["official_id"]: (row["organ__short_name"], row["unit__name"])
        for row in await posts.values("official_id", "organ__short_name", "unit__name")
    }
    rows = await Official.filter(id__in=list(ids)).values("id", "code", "name")
    return {row["id"]: Person(row["code"], row["name"], *where.get(row["id"], ("", ""))) for row in rows}


class Colleague(NamedTuple):
    """Somebody in office, in their first post, or in the post that they have in a unit."""

    official_id: UUID
    code: str
    name: str
    organ: str
    unit: str
    title: str
    position: int


async def colleagues(unit_id: UUID | None = None) -> list[Colleague]:
    """Everybody in office, or who has a post in a unit, in the order of the directory."""
    posts = Post.filter(official__active=True)
    rows = posts.filter(unit_id=unit_id) if unit_id else posts
    found: dict[UUID, Colleague] = {}
    for row in await rows.order_by("position", "id").values_list(
        "official_id", "official__code", "official__name", "organ__short_name", "unit__name", "title", "position"
    ):
        found.setdefault(row[0], Colleague(*row))
    return list(found.values())


async def challenge(nonce_sha256: str) -> Challenge | None:
    """The sign-in challenge with this nonce's digest."""
    return await Challenge.get_or_none(nonce_sha256=nonce_sha256)


class LiveSession(msgspec.Struct, frozen=True):
    """A session as it stands this moment, with its official in their first post; without a post nobody acts."""

    id: UUID
    official_id: UUID
    name: str
    active: bool
    organ_id: UUID | None
    unit_id: UUID | None
    roles: frozenset[Role]
    certificate_serial: str
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None


# Every request begins with this statement, so it is one, and nothing of it is remembered: a role that was taken away
# is gone with the next click. One row per role, and one without a role for whoever holds none.
_LIVE_SESSION = """
SELECT s.id, s.official_id, s.certificate_serial, s.opened_at, s.seen_at, s.expires_at, s.ended_at, s.end_reason,
       o.name, o.active, p.organ_id, p.unit_id, r.role
FROM session s
JOIN official o ON o.id = s.official_id
LEFT JOIN post p ON p.id = (SELECT f.id FROM post f WHERE f.official_id = o.id ORDER BY f.position, f.id LIMIT 1)
LEFT JOIN responsibility r ON r.official_id = o.id AND r.organ_id = p.organ_id
WHERE s.id = ?
"""


async def live_session(session_id: UUID) -> LiveSession | None:
    """The session behind a request, whoever is in it, and what they may do where."""
    rows = await select(_LIVE_SESSION, [session_id])
    if not rows:
        return None
    roles = [row["role"] for row in rows if row["role"]]
    return msgspec.convert(rows[0] | {"roles": roles}, LiveSession, strict=False)


async def live_sessions(
    ids: Collection[UUID], now: datetime, *, seen_since: datetime, opened_since: datetime
) -> set[UUID]:
    """Which of these sessions neither ended, ran out nor went idle, and whose officials are still in office."""
    rows = Session.filter(
        id__in=list(ids),
        ended_at=None,
        expires_at__gt=now,
        seen_at__gt=seen_since,
        opened_at__gt=opened_since,
        official__active=True,
    )
    found: Any = await rows.values_list("id", flat=True)
    return set(found)


async def session(session_id: UUID) -> Session | None:
    """The session as it was kept, whether it is live or over."""
    return await Session.get_or_none(id=session_id)


async def known_session(session_id: UUID) -> Session:
    """A session, live or over. Raises NotFound."""
    return _found(await session(session_id))


@dataclass(frozen=True, slots=True)
class ListFilter:
    """How a list of administrators is narrowed and ordered; `after` is the last row of the page before."""

    words: str = ""
    state: str | None = None
    oldest_first: bool = False
    after: UUID | None = None
    limit: int = 50


def _narrowed(rows: QuerySet[Listed], wanted: ListFilter, *, holding: Sequence[str], being: Sequence[str] = ()) -> Any:
    """The rows that hold the words in one of some columns, or are the words in one of others, in the wanted order."""
    if wanted.words:
        columns = (*(f"{name}__contains" for name in holding), *being)
        rows = rows.filter(Q(*(Q(**{name: wanted.words}) for name in columns), join_type=Q.OR))
    if wanted.after:
        rows = rows.filter(**{"id__gt" if wanted.oldest_first else "id__lt": wanted.after})
    return rows.order_by("id" if wanted.oldest_first else "-id").limit(wanted.limit)


async def sessions_in_use(actor: Actor, seen_since: datetime, wanted: ListFilter) -> list[Session]:
    """The sessions that are live: not ended, not over their limit, and used since. Raises Denied."""
    rules.check(actor, "see_sessions")
    rows = Session.filter(ended_at=None, expires_at__gt=clock.now(), seen_at__gt=seen_since)
    holding = ("official__name", "official__code", "organ__full_name", "organ__short_name")
    found: list[Session] = await _narrowed(rows, wanted, holding=holding, being=("address", "certificate_serial"))
    return found


async def sessions_over_since(moment: datetime, limit: int) -> list[Session]:
    """Some of the sessions that were over before a moment: ended, or at their limit."""
    over = Q(Q(ended_at__lt=moment), Q(expires_at__lt=moment), join_type=Q.OR)
    found: list[Session] = await Session.filter(over).order_by("id").limit(limit).only("id")
    return found


# --- departments' systems ---------------------------------------------------------------------------------------------


async def client_by_code(code: str) -> ApiClient | None:
    """The system with this `client_id`."""
    return await ApiClient.get_or_none(code=code)


async def clients(actor: Actor, wanted: ListFilter) -> list[ApiClient]:
    """A page of the departments' systems. Raises Denied."""
    rules.check(actor, "see_clients")
    rows = ApiClient.filter(state=wanted.state) if wanted.state else ApiClient.all()
    holding = ("code", "name", "organ__full_name", "organ__short_name", "unit__name", "official__name")
    found: list[ApiClient] = await _narrowed(rows, wanted, holding=holding)
    return found


async def client_counts() -> dict[str, int]:
    """How many systems there are in each state."""
    rows = await select("SELECT state, COUNT(*) AS n FROM api_client GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


async def client(actor: Actor, client_id: UUID) -> ApiClient:
    """One department's system. Raises Denied, NotFound."""
    rules.check(actor, "see_clients")
    return _found(await ApiClient.get_or_none(id=client_id))


async def client_names(ids: Collection[UUID]) -> dict[UUID, str]:
    """Names of systems by id."""
    rows: Any = await ApiClient.filter(id__in=list(ids)).values_list("id", "name") if ids else []
    return dict(rows)


class LiveClient(msgspec.Struct, frozen=True):
    """A system as it stands this moment, with the official who answers for it."""

    id: UUID
    name: str
    state: str
    organ_id: UUID
    unit_id: UUID
    official_id: UUID
    scopes: list[str]
    per_minute: int
    active: bool


_LIVE_CLIENT = """
SELECT c.id, c.name, c.state, c.organ_id, c.unit_id, c.official_id, c.scopes, c.per_minute, o.active
FROM api_client c JOIN official o ON o.id = c.official_id WHERE c.id = ?
"""


async def live_client(client_id: UUID) -> LiveClient | None:
    """The system behind a request: one statement, and nothing of it is remembered."""
    rows = await select(_LIVE_CLIENT, [client_id])
    if not rows:
        return None
    scopes = rows[0]["scopes"]
    listed = msgspec.json.decode(scopes) if isinstance(scopes, str) else scopes
    return msgspec.convert(rows[0] | {"scopes": listed}, LiveClient, strict=False)


async def holds_post(official_id: UUID, unit_id: UUID) -> bool:
    """Whether an active official holds a post in a unit."""
    return await Post.filter(official_id=official_id, unit_id=unit_id, official__active=True).exists()


async def has_clients() -> bool:
    """Whether any department's system is let in: most installations have none, and ask no further."""
    return await ApiClient.filter(state=ClientState.ACTIVE).exists()


async def clients_of(unit_id: UUID, scope: str) -> list[UUID]:
    """The systems of a unit that are let in for a scope."""
    rows = await ApiClient.filter(unit_id=unit_id, state=ClientState.ACTIVE)
    return [row.id for row in rows if scope in row.scopes]
