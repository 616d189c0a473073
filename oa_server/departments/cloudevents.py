"""Feed entries as CloudEvents: the same for who asks and for whom they are sent to."""

from __future__ import annotations

from oa_server.departments.models import FeedEntry
from oa_server.departments.schemas import CloudEvent
from oa_server.documents.access import OUTGOING


def event_of(row: FeedEntry, source: str) -> CloudEvent:
    """One entry as a CloudEvent of `source`, which is our origin."""
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
