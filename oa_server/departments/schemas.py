"""What the feed says over the wire: CloudEvents 1.0, structured JSON; and what administrators see of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.web.pagination import PageLimit
from oa_server.web.shapes import AbilityOut


class EventQuery(Struct):
    """`after` is the sequence of the last event that was seen; 0 begins with the first."""

    after: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: PageLimit = 100


class CloudEvent(Struct):
    """One event. `sequence` counts this system's events without a gap (extension `sequence`, as a string); `data` names what
    it is about and holds no content, which is read where the system may read it."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    sequence: str
    datacontenttype: Literal["application/json"]
    data: dict[str, Any]


class EventList(Struct):
    """`next` is what to ask `after` for the events that come then."""

    items: list[CloudEvent]
    next: int


class WebhookIn(Struct, forbid_unknown_fields=True):
    """Where a system wants its events, and the IP addresses by which alone its server is reached."""

    url: Annotated[str, Meta(min_length=1, max_length=300)]
    addresses: Annotated[list[Annotated[str, Meta(max_length=45)]], Meta(min_length=1, max_length=8)]


class WebhookActIn(Struct, forbid_unknown_fields=True):
    """`replay` sends again what came after the event with the sequence `after`."""

    verb: Literal["approve", "disable", "enable", "replay"]
    after: Annotated[int, Meta(ge=0, le=2**53)] = 0


class WebhookOut(Struct):
    """A webhook, how far its events were taken, and what the last answer was."""

    id: UUID
    url: str
    addresses: list[str]
    state: str
    delivered: int
    waiting: int
    attempts: int
    next_try_at: datetime | None
    last_answer: str
    abilities: list[AbilityOut]


class FeedRow(Struct):
    """One event of a system, without what it is about, and whether its webhook took it."""

    sequence: int
    kind: str
    at: datetime
    state: Literal["taken", "retried", "waiting", "kept"]


class FeedOut(Struct):
    """How a system's feed stands: its newest events, and the public keys (with their SHA-256) under which they are sent."""

    last: int
    items: list[FeedRow]
    keys: list[FeedKey]
    abilities: list[AbilityOut]


class FeedKey(Struct):
    public: str
    sha256: str


class WebhookKeys(Struct):
    """Public keys (`whpk_…`) under which events are signed; while one replaces another there are two."""

    keys: list[str]
