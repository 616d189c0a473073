"""What the documents domain announces."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DocumentDispatched:
    """A sealed document is on its way to its recipients."""

    document_id: UUID
    recipients: int


@dataclass(frozen=True, slots=True)
class DocumentSignedFor:
    """A recipient has signed for a document."""

    document_id: UUID
    organ_id: UUID


@dataclass(frozen=True, slots=True)
class DocumentRefused:
    """A recipient has refused a document, with a coded reason."""

    document_id: UUID
    organ_id: UUID
    code: str
