"""Rows of the register in the words of the wire: what the pages of administrators show."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.keys import serial_text
from crypto.profiles import SPECS, Profile
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.identity import access as identity
from oa_server.pki import access, issuing, rolls, rules
from oa_server.pki.models import Certificate, CertificateRequest, Enrolment, KeyDevice, RequestKind
from oa_server.pki.schemas import (
    CertificateOut,
    CertificateRow,
    DeviceOut,
    DeviceRow,
    DifferenceOut,
    EnrolmentOut,
    EntryOut,
    HolderOut,
    IssuedKeyOut,
    LinkOut,
    ListOut,
    NewKeyIn,
    PersonalProfiles,
    RequestOut,
    RequestRow,
    RollKeyOut,
    RollKeysIn,
    RollRow,
    SheetRowOut,
)
from oa_server.web.shapes import AbilityOut, ReasonOut, ability_out

Held = Certificate | CertificateRequest | KeyDevice


class _Names:
    """The names behind some rows, read together."""

    def __init__(self, people: Any, organs: Any, devices: dict[UUID, str]) -> None:
        self._people, self._organs, self._devices = people, organs, devices

    @classmethod
    async def of(cls, rows: Sequence[Held], *, besides: Iterable[UUID | None] = ()) -> _Names:
        people = {row.official_id for row in rows} | set(besides)
        return cls(
            await identity.people({key for key in people if key}),
            await identity.organ_names({row.organ_id for row in rows if row.organ_id}),
            await access.device_labels({row.device_id for row in rows if getattr(row, "device_id", None)}),
        )

    def holder(self, row: Held) -> HolderOut | None:
        if row.official_id in self._people:
            person = self._people[row.official_id]
            return HolderOut(row.official_id, False, person.code, person.name, person.organ, person.unit)
        if row.organ_id in self._organs:
            organ = self._organs[row.organ_id]
            return HolderOut(row.organ_id, True, organ.code, organ.full_name, organ.short_name, "")
        return None

    def person(self, key: UUID | None) -> str:
        return self._people[key].name if key in self._people else ""

    def device(self, row: Certificate | CertificateRequest) -> str:
        return self._devices.get(row.device_id, "")


async def device_rows(rows: Sequence[KeyDevice]) -> list[DeviceRow]:
    """Rows of the list of key devices."""
    names = await _Names.of(rows)
    return [DeviceRow(**_device(row, names)) for row in rows]


def _device(row: KeyDevice, names: _Names) -> dict[str, Any]:
    return {
        "id": row.id,
        "label": row.label,
        "kind": row.kind,
        "state": row.standing,
        "holder": names.holder(row),
        "registered_at": row.registered_at,
    }


async def device_out(actor: Actor, row: KeyDevice, language: str) -> DeviceOut:
    """The page of a key device: its life, and what was issued to it."""
    names = await _Names.of([row])
    return DeviceOut(
        **_device(row, names),
        entries=[EntryOut(entry.verb, entry.note, entry.by, entry.at) for entry in await access.entries_of(row.id)],
        certificates=await certificate_rows(await access.certificates_on(row.id)),
        abilities=[ability_out(a, language) for a in rules.device_abilities(actor, row.standing)],
    )


async def certificate_rows(rows: Sequence[Certificate]) -> list[CertificateRow]:
    """Rows of the list of certificates."""
    names = await _Names.of(rows)
    return [CertificateRow(**_certificate(row, names)) for row in rows]


def _certificate(row: Certificate, names: _Names) -> dict[str, Any]:
    return {
        "serial": row.serial,
        "profile": row.profile,
        "holder": names.holder(row),
        "device": names.device(row),
        "not_before": row.not_before,
        "not_after": row.not_after,
        "state": row.state,
        "reason": row.revocation_reason,
        "revoked_at": row.revoked_at,
        "light": rules.light(row, clock.now()),
    }


async def certificate_out(actor: Actor, row: Certificate, language: str) -> CertificateOut:
    """The page of a certificate, with the chain that it stands on."""
    found = access.parsed(row)
    above = await access.chain_above(found)
    return CertificateOut(
        **_certificate(row, await _Names.of([row])),
        subject=row.subject,
        fingerprint=row.fingerprint,
        key=access.key_words(found),
        purposes=[purpose.dotted_string for purpose in SPECS[Profile(row.profile)].purposes],
        chain=[_link(certificate) for certificate in (found, *above)],
        certificate=_der(found),
        chain_certificates=[_der(certificate) for certificate in above],
        abilities=_abilities(rules.abilities(actor, row), ("revoke", "suspend", "resume"), language),
    )


def _link(certificate: x509.Certificate) -> LinkOut:
    return LinkOut(
        access.common_name(certificate.subject),
        access.common_name(certificate.issuer),
        serial_text(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        access.fingerprint(certificate),
    )


def _der(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


async def request_rows(rows: Sequence[CertificateRequest]) -> list[RequestRow]:
    """Rows of the list of requests."""
    names = await _Names.of(rows, besides=[key for row in rows for key in (row.requested_by, row.approved_by)])
    return [RequestRow(**_request(row, names)) for row in rows]


def _request(row: CertificateRequest, names: _Names) -> dict[str, Any]:
    return {
        "id": row.id,
        "profile": row.profile,
        "kind": row.kind or RequestKind.FIRST,
        "holder": names.holder(row),
        "device": names.device(row),
        "state": row.state,
        "requested_by": names.person(row.requested_by),
        "approved_by": names.person(row.approved_by),
        "at": row.at,
        "decided_at": row.decided_at,
        "refusal": row.refusal,
        "serial": row.serial,
    }


async def request_out(actor: Actor, row: CertificateRequest, language: str) -> RequestOut:
    """The page of a request: how it differs from what will be certified, and the certificate once there is one."""
    names = await _Names.of([row], besides=[row.requested_by, row.approved_by])
    certificate = await access.certificate_by_id(row.certificate_id) if row.certificate_id else None
    replaced = await access.certificate_by_id(row.replaces_id) if row.replaces_id else None
    found = access.parsed(certificate) if certificate else None
    return RequestOut(
        **_request(row, names),
        token_id=row.device_id,
        replaces=replaced.serial if replaced else None,
        differences=await _differences(row),
        certificate=_der(found) if found else None,
        chain=[_der(above) for above in await access.chain_above(found)] if found else [],
        abilities=[ability_out(a, language) for a in rules.request_abilities(actor, row)],
    )


async def _differences(row: CertificateRequest) -> list[DifferenceOut]:
    """What the request says beside what will be certified: names come from the directory, purposes from the profile."""
    csr = x509.load_der_x509_csr(bytes(row.csr))
    asked, given = access.subject_words(csr.subject), await issuing.names_of(row)
    rows = [(name, asked[name], given[name]) for name in ("common", "organ", "unit", "number")]
    key = access.key_words(csr)
    return [
        *(DifferenceOut(name, said, certified, not said or said == certified) for name, said, certified in rows),
        DifferenceOut("key", key, key, same=True),
    ]


def _abilities(found: Iterable[Any], verbs: Sequence[str], language: str) -> list[AbilityOut]:
    return [ability_out(ability, language) for ability in found if ability.verb in verbs]


def beginnings(actor: Actor, language: str) -> list[AbilityOut]:
    """Whether `actor` may begin what there is no row for yet: a request, a device; and whether they approve."""
    return _abilities(rules.abilities(actor), ("request", "keep_devices", "approve"), language)


async def list_rows() -> list[ListOut]:
    """The revocation lists in force."""
    found = []
    for crl in await access.lists_in_force():
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        assert crl.next_update_utc is not None  # Ours always say when the next one comes.
        issuer = access.common_name(crl.issuer)
        found.append(ListOut(issuer, number, len(crl), crl.last_update_utc, crl.next_update_utc))
    return found


async def roll_rows(people: Sequence[rolls.Keyholder]) -> list[RollRow]:
    """The officials of an organ with their keys."""
    units = await identity.unit_names({person.unit_id for person in people})
    return [
        RollRow(
            person.official_id,
            person.code,
            person.name,
            units.get(person.unit_id, ""),
            person.stage,
            person.device.id if person.device else None,
            person.device.label if person.device else "",
            person.device.standing if person.device else None,
            [_roll_key(person, profile) for profile in rolls.PROFILES],
        )
        for person in people
    ]


def _roll_key(person: rolls.Keyholder, profile: Profile) -> RollKeyOut:
    request, certificate = person.requests[profile], person.certificates[profile]
    return RollKeyOut(
        profile,
        person.key_stage(profile),
        request.id if request else None,
        request.state if request else None,
        certificate.not_after if certificate else None,
        rules.light(certificate, clock.now()) if certificate else rules.Light.NONE,
    )


def sheet_row_out(row: rolls.SheetRow, language: str) -> SheetRowOut:
    """A row of a sheet as it was judged, in the reader's language."""
    entry = None
    if row.outcome == "ready":
        assert row.official_id is not None  # Nobody else's row is ready.
        keys = [NewKeyIn(cast("PersonalProfiles", key.profile.value), access.pem_of(key.csr)) for key in row.keys]
        entry = RollKeysIn(row.official_id, row.label, row.kind, keys)
    reason = ReasonOut(row.fault.code, row.fault.title(language)) if row.fault else None
    return SheetRowOut(row.row, row.code, row.name, row.label, row.outcome, reason, entry)


async def enrolment_out(row: Enrolment, requests: Sequence[CertificateRequest]) -> EnrolmentOut:
    """Whose an enrolment is, and what was issued under it."""
    person = (await identity.people([row.official_id]))[row.official_id]
    post = await identity.post_of(row.official_id)
    roles = await identity.roles_of(row.official_id, post.organ_id) if post else frozenset()
    keys = []
    for request in requests:
        found = access.parsed(await access.certificate_by_id(request.certificate_id))
        chain = [_der(above) for above in await access.chain_above(found)]
        keys.append(IssuedKeyOut(request.profile, serial_text(found), _der(found), chain))
    return EnrolmentOut(person.code, person.name, person.organ, person.unit, sorted(roles), row.expires_at, keys)
