"""What the feed says over the wire: CloudEvents 1.0, structured JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from oa_server.web.pagination import PageLimit


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
