"""Certificates that the register of the city would never give out: early, late, unregistered, or somebody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.authority import Authority, Order, create_issuing, create_root, name
from crypto.keys import SoftKey, open_key_file, serial_text
from crypto.profiles import Profile, profile_of
from crypto.suite import INTL
from oa_server.pki.models import Certificate, CertificateState
from oa_server.pki.signer import ISSUING
from tests.city import City

DAY = timedelta(days=1)


def city_authority(city: City) -> Authority:
    """The city's own issuing authority, in the hands of somebody who goes around the register."""
    signer = city.app.state.house.register.signer
    key = open_key_file((signer.directory / f"{ISSUING}.key").read_bytes(), signer.passphrase)
    return Authority(key.private_key, key.certificate, key.chain[1:])


def foreign_authority(namesake: Authority | None = None) -> Authority:
    """An authority that nobody here trusts; under the names of `namesake`, which it then only pretends to be."""
    start, end = _now() - 400 * DAY, _now() + 3000 * DAY
    above = namesake.chain[-1].subject if namesake else name(common="别处的根证书")
    below = namesake.chain[0].subject if namesake else name(common="别处的签发证书")
    root = create_root(ec.generate_private_key(ec.SECP384R1()), above, start, end)
    return create_issuing(root, INTL.generate_key(), below, start, end)


def minted(
    authority: Authority, profile: Profile, *, begins: timedelta = -DAY, ends: timedelta = DAY, common: str = "王建国"
) -> SoftKey:
    """A key whose certificate is good from `begins` to `ends`, counted from now."""
    key = INTL.generate_key()
    order = Order(profile, key.public_key(), name(common=common), _now() + begins, _now() + ends)
    return SoftKey(key, authority.certify(order), authority.chain)


async def enter(city: City, key: SoftKey, person: str) -> None:
    """Write a certificate into the register, past its verbs."""
    certificate = key.certificate
    der = certificate.public_bytes(Encoding.DER)
    profile = profile_of(certificate)
    assert profile is not None
    await Certificate.create(
        serial=serial_text(certificate),
        profile=profile.value,
        official_id=city.people[person],
        subject=certificate.subject.rfc4514_string(),
        der=der,
        fingerprint=sha256(der).hexdigest(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        state=CertificateState.GOOD,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
