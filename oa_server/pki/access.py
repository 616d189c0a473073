"""Reading certificates and the trust they stand on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from cryptography import x509

from oa_server.core import clock
from oa_server.core.errors import NotFound
from oa_server.pki import rules
from oa_server.pki.models import Certificate, CertificateState, Crl, KeyDevice, TrustAnchor
from oa_server.storage.database import select
from oa_server.storage.unit_of_work import lock_row


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
        crls=tuple([x509.load_der_x509_crl(bytes(row["der"])) for row in await select(_LISTS_IN_FORCE)]),
    )


async def certificate(serial: str) -> Certificate:
    """One certificate by serial number. Raises NotFound."""
    found = await Certificate.get_or_none(serial=serial)
    if found is None:
        raise NotFound(rules.UNKNOWN)
    return found


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


async def revoked() -> list[Certificate]:
    """Every certificate that was revoked, in the order of their revocation."""
    return await Certificate.filter(state=CertificateState.REVOKED).order_by("revoked_at")


async def device(label: str) -> KeyDevice | None:
    """The key device with this label."""
    return await KeyDevice.get_or_none(label=label)


async def newest_crl(issuer: str) -> Crl | None:
    """The newest revocation list of one issuer."""
    return await Crl.filter(issuer=issuer).order_by("-number").first()


async def lists_due() -> bool:
    """Whether it is time to renew the revocation lists."""
    return await crls_due(clock.now() + rules.CRL_LIFE - rules.CRL_RENEWAL)


async def crls_due(before: datetime) -> bool:
    """Whether a list must be renewed before `before`, there is none yet, or one that was revoked is on none."""
    lists = await select(_LISTS_IN_FORCE)
    if not lists or any(msgspec.convert(row["next_update"], datetime, strict=False) < before for row in lists):
        return True
    listed = sum(len(x509.load_der_x509_crl(bytes(row["der"]))) for row in lists)
    return listed < await Certificate.filter(state=CertificateState.REVOKED).count()


async def anchor(fingerprint: str) -> TrustAnchor:
    """One trust anchor by the SHA-256 of its certificate. Raises NotFound."""
    found = await TrustAnchor.get_or_none(fingerprint=fingerprint)
    if found is None:
        raise NotFound(rules.UNKNOWN)
    return found
