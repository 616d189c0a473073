"""What signing says over the wire: seals, and what certificates were used for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.pki.schemas import CertificateRow
from oa_server.web.pagination import Cursor, PageLimit
from oa_server.web.shapes import AbilityOut, Named

Serial = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9a-f]+$")]

Base64 = Annotated[str, Meta(max_length=64 * 1024, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]


class SignatureIn(Struct, forbid_unknown_fields=True):
    """A signature made by the key agent for a request of ours: the raw value in base64."""

    request_id: UUID
    value: Base64


class SealFilter(Struct):
    q: Annotated[str, Meta(max_length=60)] = ""
    state: Literal["in_use", "withdrawn"] | None = None
    sort: Literal["newest", "oldest"] = "newest"


class SealQuery(SealFilter):
    cursor: Cursor = ""
    limit: PageLimit = 50


class SealIn(Struct, forbid_unknown_fields=True):
    """A seal of an organ: its image is a square PNG in base64, its certificate a good seal certificate of the organ."""

    organ_id: UUID
    name: Annotated[str, Meta(min_length=1, max_length=120)]
    image: Annotated[str, Meta(min_length=1, max_length=700_000, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
    diameter_mm: Annotated[int, Meta(ge=20, le=60)]
    certificate: Serial


class SealOut(Struct):
    """A seal with its keepers, the certificate that it rests on, and how often it was used."""

    id: UUID
    organ: Named
    name: str
    state: str
    diameter_mm: int
    keepers: list[str]
    certificate: CertificateRow | None
    uses: int
    registered_at: datetime


class SealList(Struct):
    items: list[SealOut]
    next: str | None
    counts: dict[str, int]
    abilities: list[AbilityOut]


class UseQuery(Struct):
    cursor: Cursor = ""
    limit: PageLimit = 50
    sort: Literal["newest"] = "newest"


class UseOut(Struct):
    """One use of a certificate. `document` is told to who may read the document; others see its organ and digest alone.

    `act` is what was signed for, or `signed_in`; `digest` is of what was signed.
    """

    id: UUID
    at: datetime
    kind: Literal["sign_in", "signature", "seal", "receipt"]
    act: str
    by: str
    organ: str
    address: str | None
    digest: str | None
    document: str | None


class UseList(Struct):
    items: list[UseOut]
    next: str | None
