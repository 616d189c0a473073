"""Reading certificates and the trust they stand on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import NotFound
from oa_server.pki import rules
from oa_server.pki.models import (
    Certificate,
    CertificateRequest,
    CertificateState,
    CertifiedKey,
    Crl,
    DeviceEntry,
    DeviceVerb,
    Enrolment,
    KeyDevice,
    RequestState,
    TrustAnchor,
)
from oa_server.storage.database import select
from oa_server.storage.fields import Model, Q, QuerySet
from oa_server.storage.unit_of_work import lock_row

WAITING_LIMIT = 200

Row = TypeVar("Row")
Listed = TypeVar("Listed", bound=Model)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom this installation believes, and what it knows to be revoked: what every verification needs."""

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    crls: tuple[x509.CertificateRevocationList, ...]

    def arguments(self) -> dict[str, Any]:
        """As keyword arguments of the verifying functions of `crypto`."""
        return {"roots": self.roots, "intermediates": self.intermediates, "crls": self.crls}


# The list in force of each authority. The older ones are kept as evidence, and never read on the way of a request.
_LISTS_IN_FORCE = """
SELECT c.issuer, c.der, c.next_update FROM crl c
WHERE c.number = (SELECT MAX(n.number) FROM crl n WHERE n.issuer = c.issuer)
"""


async def trust() -> Trust:
    """Trust as it stands now. Two small queries; the lists are parsed lazily by their library."""
    anchors = await TrustAnchor.all()
    certificates = [(anchor.is_root, x509.load_der_x509_certificate(bytes(anchor.der))) for anchor in anchors]
    return Trust(
        roots=tuple(c for is_root, c in certificates if is_root),
        intermediates=tuple(c for is_root, c in certificates if not is_root),
        crls=tuple(await lists_in_force()),
    )


async def by_serial(serial: str) -> Certificate | None:
    """The certificate with this serial number (hex), if it is one of ours."""
    return await Certificate.get_or_none(serial=serial)


async def by_serials(serials: Collection[str]) -> list[Certificate]:
    """Those of our certificates that have one of these serial numbers."""
    return await Certificate.filter(serial__in=list(serials)) if serials else []


async def certificate(serial: str) -> Certificate:
    """One certificate by serial number. Raises NotFound."""
    return _found(await by_serial(serial))


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound(rules.UNKNOWN)
    return row


async def held(serial: str) -> Certificate:
    """A good certificate whose row is held until the unit of work ends, so that whatever rests on it comes before its
    revocation or not at all. Raises NotFound, and Denied when it has been revoked."""
    row = await certificate(serial)
    await lock_row(Certificate, row.id)
    row = await Certificate.get(id=row.id)
    rules.check_not_revoked(row)
    return row


async def by_fingerprint(fingerprint: str) -> Certificate | None:
    """The registered certificate with this SHA-256 fingerprint."""
    return await Certificate.get_or_none(fingerprint=fingerprint)


async def listed() -> list[Certificate]:
    """Every certificate that is revoked or suspended, in the order in which it was."""
    return await Certificate.exclude(state=CertificateState.GOOD).order_by("revoked_at", "id")


async def device(device_id: UUID) -> KeyDevice:
    """One key device. Raises NotFound."""
    return _found(await KeyDevice.get_or_none(id=device_id))


async def entries_of(device_id: UUID) -> list[DeviceEntry]:
    """A device's life, the newest line first."""
    return await DeviceEntry.filter(device_id=device_id).order_by("-id")


async def request(request_id: UUID) -> CertificateRequest:
    """One certificate request. Raises NotFound."""
    return _found(await CertificateRequest.get_or_none(id=request_id))


async def requests_of(official_id: UUID) -> list[CertificateRequest]:
    """Every request for an official's keys, the oldest first."""
    return await CertificateRequest.filter(official_id=official_id).order_by("id")


async def device_labelled(label: str) -> KeyDevice | None:
    """The key device with this label."""
    return await KeyDevice.get_or_none(label=label)


async def devices_labelled(labels: Collection[str]) -> dict[str, KeyDevice]:
    """The key devices with these labels."""
    return {row.label: row for row in await KeyDevice.filter(label__in=list(labels))} if labels else {}


async def open_enrolment(code_sha256: str) -> Enrolment | None:
    """The enrolment with this code's digest, unless it is over."""
    return await Enrolment.get_or_none(code_sha256=code_sha256, finished_at=None, expires_at__gt=clock.now())


async def requests_waiting(before: datetime) -> list[CertificateRequest]:
    """Requests that were approved before this moment and have no certificate yet."""
    rows = CertificateRequest.filter(state=RequestState.APPROVED, decided_at__lt=before)
    return await rows.order_by("decided_at").limit(WAITING_LIMIT)


async def certified_key(key_sha256: str) -> CertifiedKey | None:
    """Whose a public key is, if a certificate was approved for it."""
    return await CertifiedKey.get_or_none(key_sha256=key_sha256)


@dataclass(frozen=True, slots=True)
class ListFilter:
    """How a list of the register is narrowed and ordered.

    `words` are looked for in the holder's name and number, the organ's names and the device's label; `until` is when a
    certificate runs out at the latest; `after` is the last row of the page before.
    """

    words: str = ""
    state: str | None = None
    profile: str | None = None
    until: datetime | None = None
    oldest_first: bool = False
    after: UUID | None = None
    limit: int = 50


async def device_list(actor: Actor, wanted: ListFilter) -> list[KeyDevice]:
    """A page of the key devices. Raises Denied."""
    rows = KeyDevice.all()
    if wanted.state == DeviceVerb.REGISTERED:
        rows = rows.filter(Q(state=wanted.state) | Q(state=None))
    elif wanted.state:
        rows = rows.filter(state=wanted.state)
    return await _narrowed(actor, rows, wanted, "label")


async def certificate_list(actor: Actor, wanted: ListFilter) -> list[Certificate]:
    """A page of the certificates. Raises Denied."""
    rows = _exactly(Certificate.all(), state=wanted.state, profile=wanted.profile)
    if wanted.until:
        rows = rows.filter(not_after__lte=wanted.until).exclude(state=CertificateState.REVOKED)
    return await _narrowed(actor, rows, wanted, "device__label", "serial")


async def request_list(actor: Actor, wanted: ListFilter) -> list[CertificateRequest]:
    """A page of the certificate requests. Raises Denied."""
    rows = _exactly(CertificateRequest.all(), state=wanted.state, profile=wanted.profile)
    return await _narrowed(actor, rows, wanted, "device__label", "serial")


def _exactly(rows: QuerySet[Listed], **columns: str | None) -> QuerySet[Listed]:
    return rows.filter(**{name: value for name, value in columns.items() if value})


def _narrowed(actor: Actor, rows: QuerySet[Listed], wanted: ListFilter, *searched: str) -> QuerySet[Listed]:
    rules.check_reads(actor)
    if wanted.words:
        columns = (*searched, "official__name", "official__code", "organ__full_name", "organ__short_name")
        rows = rows.filter(Q(*(Q(**{f"{name}__contains": wanted.words}) for name in columns), join_type=Q.OR))
    if wanted.after:
        rows = rows.filter(**{"id__gt" if wanted.oldest_first else "id__lt": wanted.after})
    return rows.order_by("id" if wanted.oldest_first else "-id").limit(wanted.limit)


async def certificates_of(official_id: UUID) -> list[Certificate]:
    """An official's own certificates that are not revoked, the first to run out first."""
    rows = Certificate.filter(official_id=official_id).exclude(state=CertificateState.REVOKED)
    return await rows.order_by("not_after")


async def devices_of(officials: Collection[UUID]) -> dict[UUID, KeyDevice]:
    """The newest device of each of these officials that is with them or waits for them."""
    rows = KeyDevice.filter(official_id__in=list(officials))
    # A column that was added later is empty in older rows, and no condition may pass those over.
    found = await rows.order_by("id")
    return {row.official_id: row for row in found if row.standing not in rules.USELESS_DEVICES}


async def keys_in(
    devices: Collection[UUID],
) -> tuple[dict[tuple[UUID, str], CertificateRequest], dict[tuple[UUID, str], Certificate]]:
    """The newest request, and the certificate that lasts longest of those not revoked, by device and use."""
    requests = await CertificateRequest.filter(device_id__in=list(devices)).order_by("id")
    certificates = Certificate.filter(device_id__in=list(devices)).exclude(state=CertificateState.REVOKED)
    return (
        {(row.device_id, row.profile): row for row in requests},
        {(row.device_id, row.profile): row for row in await certificates.order_by("not_after")},
    )


async def certificates_on(device_id: UUID) -> list[Certificate]:
    """Every certificate that was issued to a device, the newest first."""
    return await Certificate.filter(device_id=device_id).order_by("-id")


async def device_labels(ids: Collection[UUID]) -> dict[UUID, str]:
    """The labels of the devices with these ids."""
    if not ids:
        return {}
    rows: Any = await KeyDevice.filter(id__in=list(ids)).values_list("id", "label")
    return dict(rows)


async def counts(actor: Actor) -> Counts:
    """How many requests, devices and certificates there are in each state, and how many run out when. Raises Denied."""
    rules.check_reads(actor)
    now = clock.now()
    live = Certificate.exclude(state=CertificateState.REVOKED)
    lights, before = {rules.Light.OUT.value: await live.filter(not_after__lte=now).count()}, now
    for days, colour in rules.LIGHTS:
        until = now + timedelta(days=days)
        lights[colour.value] = await live.filter(not_after__gt=before, not_after__lte=until).count()
        before = until
    return Counts(
        requests=await _by_state("certificate_request"),
        devices=await _by_state("key_device"),
        certificates=await _by_state("certificate"),
        lights=lights,
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers by state, and those of certificates that run out soon by their light."""

    requests: dict[str, int]
    devices: dict[str, int]
    certificates: dict[str, int]
    lights: dict[str, int]


async def _by_state(table: str) -> dict[str, int]:
    # The name of a table of ours: no word of anybody's enters the text.
    rows = await select(f"SELECT COALESCE(state, 'registered') AS state, COUNT(*) AS n FROM {table} GROUP BY 1")  # noqa: S608
    return {row["state"]: row["n"] for row in rows}


async def lists_in_force() -> list[x509.CertificateRevocationList]:
    """The revocation list in force of each authority."""
    return [x509.load_der_x509_crl(bytes(row["der"])) for row in await select(_LISTS_IN_FORCE)]


def der_of(pem: str) -> bytes:
    """The DER in a PEM; what is none is given on as it is, to be refused by whoever reads it."""
    try:
        return x509.load_pem_x509_csr(pem.encode()).public_bytes(Encoding.DER)
    except ValueError:
        return pem.encode()


def pem_of(csr: bytes) -> str:
    """A certificate request in PEM."""
    return x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM).decode()


async def csr_behind(certificate: Certificate | None) -> bytes:
    """The request that a certificate was issued for, empty when there is none.

    It showed that its holder has the key, and only the token with that key takes another certificate for it.
    """
    row = await CertificateRequest.get_or_none(certificate_id=certificate.id) if certificate else None
    return bytes(row.csr) if row else b""


def parsed(row: Certificate) -> x509.Certificate:
    """The certificate itself."""
    return x509.load_der_x509_certificate(bytes(row.der))


async def certificate_by_id(certificate_id: UUID) -> Certificate:
    """One certificate by its row. Raises NotFound."""
    return _found(await Certificate.get_or_none(id=certificate_id))


async def chain_above(leaf: x509.Certificate) -> list[x509.Certificate]:
    """The certificates above one of ours, nearest first, as far as we know them."""
    known, chain, current = await trust(), [], leaf
    while current.issuer != current.subject:
        candidates = (*known.intermediates, *known.roots)
        above = next((other for other in candidates if other.subject == current.issuer and other not in chain), None)
        if above is None:
            break
        chain.append(above)
        current = above
    return chain


SUBJECT_PARTS = {
    "common": x509.NameOID.COMMON_NAME,
    "organ": x509.NameOID.ORGANIZATION_NAME,
    "unit": x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
    "number": x509.NameOID.SERIAL_NUMBER,
}


def subject_words(subject: x509.Name) -> dict[str, str]:
    """The parts of a subject by name (`SUBJECT_PARTS`), empty where it has none."""
    found = {part: subject.get_attributes_for_oid(oid) for part, oid in SUBJECT_PARTS.items()}
    return {part: str(attributes[0].value) if attributes else "" for part, attributes in found.items()}


def common_name(subject: x509.Name) -> str:
    """What a certificate's holder is called."""
    return subject_words(subject)["common"] or subject.rfc4514_string()


def key_words(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """The kind of a certificate's key and its curve or length."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {key.curve.name}"
    return f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__


def fingerprint(certificate: x509.Certificate) -> str:
    """How a certificate is named: the SHA-256 of its DER, in lower-case hex."""
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


async def newest_crl(issuer: str) -> Crl | None:
    """The newest revocation list of one issuer."""
    return await Crl.filter(issuer=issuer).order_by("-number").first()


async def lists_due() -> bool:
    """Whether it is time to renew the revocation lists."""
    return await crls_due(clock.now() + rules.CRL_LIFE - rules.CRL_RENEWAL)


async def crls_due(before: datetime) -> bool:
    """Whether a list must be renewed before `before`, there is none yet, or they do not hold what they should."""
    lists = await select(_LISTS_IN_FORCE)
    if not lists or any(msgspec.convert(row["next_update"], datetime, strict=False) < before for row in lists):
        return True
    standing = {entry.serial_number for row in lists for entry in x509.load_der_x509_crl(bytes(row["der"]))}
    wanted: Any = await Certificate.exclude(state=CertificateState.GOOD).values_list("serial", flat=True)
    return standing != {int(serial, 16) for serial in wanted}


async def anchor(fingerprint: str) -> TrustAnchor:
    """One trust anchor by the SHA-256 of its certificate. Raises NotFound."""
    return _found(await TrustAnchor.get_or_none(fingerprint=fingerprint))
