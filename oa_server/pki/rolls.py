"""办证名册: the officials of one organ with the keys they have, and a sheet that says which device each of them gets.

The sheet is judged as a whole and entered row by row, each row a unit of work of its own: what was entered stays, what
fails fails alone, and the same sheet shown again says which of its rows are done.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from crypto.errors import KeyRefused
from crypto.keys import key_digest, read_csr
from crypto.profiles import Profile
from oa_server.core.actor import Actor
from oa_server.core.errors import Invalid, Reason, TooLarge
from oa_server.identity import access as identity
from oa_server.pki import access, devices, issuing, rules
from oa_server.pki.actions import Subject
from oa_server.pki.issuing import NewKey
from oa_server.pki.models import (
    Certificate,
    CertificateRequest,
    DeviceKind,
    KeyDevice,
    RequestKind,
    RequestState,
)
from oa_server.storage.unit_of_work import lock_row, unit_of_work
from oa_server.web.workbooks import sheets_in

SHEET_LIMIT = 10 << 20
ROW_LIMIT = 2000
LABEL_LIMIT = 64

NOBODYS = UUID(int=0)  # the device of who has none

# What the columns are called, the first name the one that we write.
_HEADERS = {
    "code": ("人员编号", "工号"),
    "name": ("姓名",),
    "label": ("介质编号",),
    "kind": ("介质类型",),
    "sign-in": ("登录证书请求",),
    "signing": ("签名证书请求",),
}
# The columns of the sheet that we give; the last two are for its reader alone.
COLUMNS = ("人员编号", "姓名", "介质编号", "介质类型", "登录证书请求", "签名证书请求", "部门", "进度")
_KINDS = {"": DeviceKind.TOKEN, **{word: DeviceKind(kind) for kind, word in rules.DEVICE_KIND_WORDS.items()}}


PROFILES = (Profile.SIGN_IN, Profile.SIGNING)


@dataclass(frozen=True, slots=True)
class Keyholder:
    """An official of an organ, the device they have, and each of its keys: request, certificate and stage."""

    official_id: UUID
    code: str
    name: str
    unit_id: UUID
    device: KeyDevice | None
    requests: dict[Profile, CertificateRequest | None]
    certificates: dict[Profile, Certificate | None]

    def key_stage(self, profile: Profile) -> rules.Stage:
        return rules.key_stage(self.requests[profile], has_certificate=self.certificates[profile] is not None)

    @property
    def stage(self) -> rules.Stage:
        """How far this official has come."""
        return rules.stage(self.device.standing if self.device else None, map(self.key_stage, PROFILES))


async def roll(actor: Actor, organ_id: UUID, only: UUID | None = None) -> list[Keyholder]:
    """The officials of an organ, or `only` one of them, in the order of its list, with their keys. Raises Denied, NotFound."""
    rules.check_reads(actor)
    await identity.organ(organ_id)
    people: dict[UUID, Any] = {}
    for row in await identity.posts_of(organ_id):
        if only in {None, row["official_id"]}:
            people.setdefault(row["official_id"], row)
    held = await access.devices_of(people)
    requests, certificates = await access.keys_in([device.id for device in held.values()])
    found = []
    for official_id, row in people.items():
        device = held.get(official_id)
        keys = {profile: (device.id if device else NOBODYS, profile.value) for profile in PROFILES}
        found.append(
            Keyholder(
                official_id,
                row["official__code"],
                row["official__name"],
                row["unit_id"],
                device,
                {profile: requests.get(key) for profile, key in keys.items()},
                {profile: certificates.get(key) for profile, key in keys.items()},
            )
        )
    return found


@dataclass(slots=True)
class SheetRow:
    """A row of the sheet, whom it is for, and why it cannot be entered as it stands. `row` counts as the sheet shows it."""

    row: int
    code: str
    name: str
    label: str
    kind: DeviceKind = DeviceKind.TOKEN
    keys: list[NewKey] = field(default_factory=list)
    official_id: UUID | None = None
    is_done: bool = False
    fault: Reason | None = None

    @property
    def outcome(self) -> Literal["ready", "done", "empty", "wrong"]:
        """`wrong`, `empty` (no device is given), `done` before, or `ready` to be entered."""
        if self.fault:
            return "wrong"
        if not self.label:
            return "empty"
        return "done" if self.is_done else "ready"


async def read_sheet(actor: Actor, organ_id: UUID, data: bytes) -> list[SheetRow]:
    """Judge every row of a sheet for an organ; nothing is entered.

    Raises Denied, NotFound; Invalid when it is no sheet or lacks its columns, TooLarge.
    """
    rules.check(actor, "request")
    people = {person.code: person for person in await roll(actor, organ_id)}
    rows = list(_rows_of(data))
    labelled = await access.devices_labelled([row.label for row in rows if _is_label(row.label)])
    seen: set[str] = set()
    for row in rows:
        person = people.get(row.code)
        row.official_id = person.official_id if person else None
        row.fault = row.fault or _fault(row, person, labelled.get(row.label), seen)
        row.is_done = person is not None and _is_done(row, person)
        if row.outcome in {"ready", "done"}:
            seen.update({f"person {row.code}", f"device {row.label}"})
    return rows


def _rows_of(data: bytes) -> Iterator[SheetRow]:
    # A workbook is a zip file, and begins as one.
    name = "sheet.xlsx" if data.startswith(b"PK") else "sheet.csv"
    for sheet in sheets_in(name, data):
        header = [_plain(cell) for cell in next(sheet.rows, ())]
        columns = {key: next((header.index(n) for n in names if n in header), -1) for key, names in _HEADERS.items()}
        if columns["code"] < 0 or columns["label"] < 0:
            continue
        for number, cells in enumerate(sheet.rows, start=2):
            if number > ROW_LIMIT:
                raise TooLarge(rules.ROLL_TOO_LONG, limit=ROW_LIMIT)
            texts = {key: _plain(cells[at]) if 0 <= at < len(cells) else "" for key, at in columns.items()}
            if any(texts.values()):
                yield _row(number, texts)
        return
    raise Invalid(rules.NO_ROLL)


def _plain(cell: str | None) -> str:
    return unicodedata.normalize("NFC", cell or "").strip()


def _row(number: int, texts: dict[str, str]) -> SheetRow:
    row = SheetRow(number, texts["code"], texts["name"], texts["label"])
    try:
        row.kind = _KINDS[texts["kind"]]
        row.keys = [NewKey(profile, _csr(texts[profile])) for profile in PROFILES if texts[profile]]
    except KeyError:
        row.fault = rules.UNKNOWN_KIND
    except KeyRefused:
        row.fault = rules.REQUEST_REFUSED
    return row


def _csr(pem: str) -> bytes:
    der = access.der_of(pem)
    read_csr(der)
    return der


def _fault(row: SheetRow, person: Keyholder | None, device: KeyDevice | None, seen: set[str]) -> Reason | None:
    """Why a row cannot be entered, the first reason that there is."""
    if person is None:
        return rules.NOT_IN_ORGAN
    has_label = bool(row.label)
    is_taken = device is not None and not devices.is_usable(device, Subject(official_id=person.official_id))
    checks = (
        (row.name not in {"", person.name}, rules.OTHER_NAME),
        (has_label and not _is_label(row.label), rules.BAD_LABEL),
        (has_label and bool(seen & {f"person {row.code}", f"device {row.label}"}), rules.TWICE_IN_SHEET),
        (is_taken, rules.NOT_THEIR_DEVICE),
    )
    return next((reason for is_wrong, reason in checks if is_wrong), None)


def _is_label(text: str) -> bool:
    return 0 < len(text) <= LABEL_LIMIT and text.isprintable() and not text.startswith("=")


def _is_done(row: SheetRow, person: Keyholder) -> bool:
    """Whether the device is the person's already, and each key of the row asked for."""
    if person.device is None or person.device.label != row.label:
        return False
    return all(_is_asked(person.requests[key.profile], key) for key in row.keys)


def _is_asked(request: CertificateRequest | None, key: NewKey) -> bool:
    return request is not None and request.state != RequestState.REFUSED and bytes(request.csr) == key.csr


async def enter(
    actor: Actor, organ_id: UUID, official_id: UUID, kind: DeviceKind, label: str, keys: Sequence[NewKey]
) -> Keyholder:
    """Enter one row: the official's device, and a request for each key that was made in it. Entered again it changes nothing.

    Raises Denied, NotFound; Invalid when nobody of that organ is meant or a request is none; Conflict when device or key is
    somebody else's.
    """
    rules.check(actor, "request")
    await _keyholder(actor, organ_id, official_id)
    async with unit_of_work(actor):
        device = await devices.known_or_new(actor, kind, label, Subject(official_id=official_id))
        await lock_row(KeyDevice, device.id)
        for key in keys:
            await _ask(actor, key, device)
    return await _keyholder(actor, organ_id, official_id)


async def _keyholder(actor: Actor, organ_id: UUID, official_id: UUID) -> Keyholder:
    found = await roll(actor, organ_id, only=official_id)
    if not found:
        raise Invalid(rules.NOT_IN_ORGAN)
    return found[0]


async def _ask(actor: Actor, key: NewKey, device: KeyDevice) -> None:
    """Ask for a certificate over a key, unless that was done; it takes the place of the one that the official has."""
    made = await access.requests_of(device.official_id)
    if any(_is_asked(one, key) for one in made if one.profile == key.profile):
        return
    former = [row for row in await access.certificates_of(device.official_id) if row.profile == key.profile]
    replaces = former[-1] if former else None
    kind = _kind_of(key, replaces)
    subject = Subject(official_id=device.official_id)
    await issuing.request(actor, key.profile, key.csr, subject, device=device, kind=kind, replaces=replaces)


def _kind_of(key: NewKey, replaces: Certificate | None) -> RequestKind:
    if replaces is None:
        return RequestKind.FIRST
    is_same = key_digest(read_csr(key.csr).public_key()) == key_digest(access.parsed(replaces).public_key())
    return RequestKind.RENEWAL if is_same else RequestKind.REKEY
