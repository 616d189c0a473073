"""What the certificate register says over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from oa_server.pki.models import CertificateState, DeviceKind, DeviceVerb, RequestKind, RequestState
from oa_server.pki.rules import Stage
from oa_server.web.pagination import Cursor, PageLimit
from oa_server.web.shapes import AbilityOut, Named, ReasonOut

Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Note = Annotated[str, Meta(max_length=200)]
Profiles = Literal["sign-in", "signing", "seal"]
PersonalProfiles = Literal["sign-in", "signing"]
Words = Annotated[str, Meta(max_length=60)]


class HolderOut(Struct):
    """Whose it is: an official with staff number and unit, or an organ."""

    id: UUID
    is_organ: bool
    code: str
    name: str
    organ: str
    unit: str


class DeviceIn(Struct, forbid_unknown_fields=True):
    """A key device: its label is the number printed on it."""

    kind: DeviceKind
    label: Label
    official_id: UUID | None = None
    organ_id: UUID | None = None


class DeviceActIn(Struct, forbid_unknown_fields=True):
    verb: Literal["handed_over", "returned", "unlocked", "lost", "retired"]
    note: Note = ""


class DeviceRow(Struct):
    id: UUID
    label: str
    kind: DeviceKind
    state: DeviceVerb
    holder: HolderOut | None
    registered_at: datetime


class DeviceList(Struct):
    items: list[DeviceRow]
    next: str | None


class EntryOut(Struct):
    """One line of a device's life."""

    verb: DeviceVerb
    note: str
    by: str
    at: datetime


class CertificateRow(Struct):
    serial: str
    profile: str
    holder: HolderOut | None
    device: str
    not_before: datetime
    not_after: datetime
    state: CertificateState
    reason: str | None
    revoked_at: datetime | None
    light: str


class CertificateList(Struct):
    items: list[CertificateRow]
    next: str | None


class LinkOut(Struct):
    """One certificate of a chain, the holder's own first."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    fingerprint: str


class CertificateOut(CertificateRow, kw_only=True):
    subject: str
    fingerprint: str
    key: str
    purposes: list[str]
    chain: list[LinkOut]
    certificate: str
    chain_certificates: list[str]
    abilities: list[AbilityOut]


class CertificateActIn(Struct, forbid_unknown_fields=True):
    """Revoking takes one of the reasons of RFC 5280, 5.3.1."""

    verb: Literal["revoke", "suspend", "resume"]
    reason: Annotated[str, Meta(max_length=32)] = ""


class RequestIn(Struct, forbid_unknown_fields=True):
    """A request for one key. `csr` is PKCS #10 in PEM; `replaces` is a serial number, for all kinds but the first.

    A renewal, which keeps its key, may go without `csr`: the request behind the certificate that it replaces is presented again.
    """

    profile: Profiles
    csr: Annotated[str, Meta(max_length=16 * 1024)] = ""
    official_id: UUID | None = None
    organ_id: UUID | None = None
    device_id: UUID | None = None
    kind: RequestKind = RequestKind.FIRST
    replaces: Annotated[str, Meta(max_length=64)] | None = None


class RequestActIn(Struct, forbid_unknown_fields=True):
    """Refusing takes a reason."""

    verb: Literal["approve", "refuse", "install"]
    reason: Note = ""


class NewKeyIn(Struct, forbid_unknown_fields=True):
    profile: PersonalProfiles
    csr: Annotated[str, Meta(max_length=16 * 1024)]


class RollKeyOut(Struct):
    """One key of an official: how far it has come, by which request, and until when its certificate is good."""

    profile: str
    stage: Stage
    request_id: UUID | None
    request_state: RequestState | None
    not_after: datetime | None
    light: str


class RollRow(Struct):
    """An official of the organ with the device they have and its keys; `stage` is that of the one furthest behind."""

    official_id: UUID
    code: str
    name: str
    unit: str
    stage: Stage
    device_id: UUID | None
    device: str
    device_state: DeviceVerb | None
    keys: list[RollKeyOut]


class RollOut(Struct):
    organ: Named
    items: list[RollRow]
    abilities: list[AbilityOut]


class RollKeysIn(Struct, forbid_unknown_fields=True):
    """One row of the sheet to be entered: the official's device, and the requests made in it, if it was prepared before."""

    official_id: UUID
    label: Label
    kind: DeviceKind = DeviceKind.TOKEN
    keys: Annotated[list[NewKeyIn], Meta(max_length=2)] = []


class SheetRowOut(Struct):
    """A row of the sheet as it was judged. `entry` is what to send to have it entered."""

    row: int
    code: str
    name: str
    label: str
    outcome: Literal["ready", "done", "empty", "wrong"]
    reason: ReasonOut | None
    entry: RollKeysIn | None


class SheetOut(Struct):
    items: list[SheetRowOut]


class EnrolmentIn(Struct, forbid_unknown_fields=True):
    """A code from the console; with keys, the device that they were made in. Without, it asks whose the code is."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    kind: DeviceKind = DeviceKind.TOKEN
    label: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    keys: Annotated[list[NewKeyIn], Meta(max_length=2)] = []


class IssuedKeyOut(Struct):
    """A certificate with its chain in base64 DER, for the key agent to write."""

    profile: str
    serial: str
    certificate: str
    chain: list[str]


class EnrolmentOut(Struct):
    """Whose code it is, until when it is good, and the certificates that were issued for the keys that came with it."""

    code: str
    name: str
    organ: str
    unit: str
    roles: list[str]
    expires_at: datetime
    keys: list[IssuedKeyOut]


class RequestRow(Struct):
    id: UUID
    profile: str
    kind: RequestKind
    holder: HolderOut | None
    device: str
    state: RequestState
    requested_by: str
    approved_by: str
    at: datetime
    decided_at: datetime | None
    refusal: str | None
    serial: str | None


class RequestList(Struct):
    items: list[RequestRow]
    next: str | None


class DifferenceOut(Struct):
    """What the request says of itself beside what the certificate will say, which alone counts."""

    name: str
    asked: str
    given: str
    same: bool


class RequestOut(RequestRow, kw_only=True):
    """`certificate` and `chain` are base64 DER, for the key agent to write, as soon as it is issued."""

    token_id: UUID | None
    replaces: str | None
    differences: list[DifferenceOut]
    certificate: str | None
    chain: list[str]
    abilities: list[AbilityOut]


class DeviceOut(DeviceRow, kw_only=True):
    entries: list[EntryOut]
    certificates: list[CertificateRow]
    abilities: list[AbilityOut]


class OverviewOut(Struct):
    """What waits, and what runs out: numbers for the first page of an administrator, and what they may begin."""

    requests: dict[str, int]
    lights: dict[str, int]
    certificates: dict[str, int]
    devices: dict[str, int]
    lists: list[ListOut]
    signer: bool
    abilities: list[AbilityOut]


class ListOut(Struct):
    """A revocation list in force."""

    issuer: str
    number: int
    entries: int
    this_update: datetime
    next_update: datetime


class MineOut(Struct):
    """The reader's own certificates that run out soon."""

    items: list[CertificateRow]


class Filter(Struct):
    q: Words = ""
    sort: Literal["newest", "oldest"] = "newest"


class DeviceFilter(Filter):
    state: DeviceVerb | None = None


class CertificateFilter(Filter):
    state: CertificateState | None = None
    profile: Profiles | None = None
    days: Annotated[int, Meta(ge=0, le=3650)] | None = None


class RequestFilter(Filter):
    state: RequestState | None = None
    profile: Profiles | None = None


class DeviceQuery(DeviceFilter):
    cursor: Cursor = ""
    limit: PageLimit = 50


class CertificateQuery(CertificateFilter):
    cursor: Cursor = ""
    limit: PageLimit = 50


class RequestQuery(RequestFilter):
    cursor: Cursor = ""
    limit: PageLimit = 50
