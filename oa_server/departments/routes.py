"""The feed over HTTP, for departments' systems."""

from __future__ import annotations

from oa_server.departments import access
from oa_server.departments.models import FeedEntry
from oa_server.departments.schemas import CloudEvent, EventList, EventQuery
from oa_server.documents.access import OUTGOING
from oa_server.web.endpoint import Access, Call, endpoint, resource


@endpoint(summary="本部门公文的事件", query=EventQuery, returns=EventList, access=Access.CLIENT, scope="events:read")
async def list_events(call: Call[None]) -> EventList:
    query: EventQuery = call.query
    rows = await access.feed(call.actor, query.after, query.limit)
    source = call.request.scope["oa.origin"]
    return EventList([_event(row, source) for row in rows], rows[-1].sequence if rows else query.after)


def _event(row: FeedEntry, source: str) -> CloudEvent:
    tree = "documents" if row.subject_type == OUTGOING else "incoming"
    return CloudEvent(
        specversion="1.0",
        id=str(row.id),
        source=source,
        type=row.kind,
        subject=f"{tree}/{row.subject_id}",
        time=row.at,
        sequence=str(row.sequence),
        datacontenttype="application/json",
        data={"id": str(row.subject_id), "href": f"/api/v1/{tree}/{row.subject_id}"},
    )


routes = [resource("/api/v1/events", GET=list_events)]
