"""The test PKI, declared once: a root, an issuing authority, and one certificate of every kind and every fault."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from crypto.authority import Authority, Order, create_issuing, create_root, name
from crypto.keys import SoftKey
from crypto.profiles import SPECS, Profile
from crypto.revocation import Revocation, build_crl
from crypto.suite import INTL, suite_for

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pki:
    """One root with one issuing authority below it."""

    root: Authority
    issuing: Authority

    def order(
        self,
        profile: Profile,
        public_key: Any,
        *,
        common: str = "李明",
        not_before: datetime = NOW - 30 * DAY,
        life: timedelta = 365 * DAY,
        **more: Any,
    ) -> Order:
        """An order that the issuing authority accepts."""
        if profile is Profile.SERVER:
            more.setdefault("dns_names", ("oa.jiangcheng.example",))
        subject = name(common=common, organ="江城市人民政府办公室")
        return Order(profile, public_key, subject, not_before, not_before + life, **more)

    def key(
        self,
        profile: Profile,
        *,
        common: str = "李明",
        not_before: datetime = NOW - 30 * DAY,
        life: timedelta = 365 * DAY,
        private_key: Any = None,
        **more: Any,
    ) -> SoftKey:
        """A key with a certificate of this profile."""
        private = private_key or INTL.generate_key()
        order = self.order(profile, private.public_key(), common=common, not_before=not_before, life=life, **more)
        return SoftKey(private, self.issuing.certify(order), self.issuing.chain)

    def crls(self, *revoked: Revocation, at: datetime = NOW) -> list[x509.CertificateRevocationList]:
        """Complete lists of both authorities, good for a week around `at`."""
        lists = [
            build_crl(self.issuing, revoked, number=1, this_update=at - DAY, next_update=at + 6 * DAY),
            build_crl(self.root, [], number=1, this_update=at - DAY, next_update=at + 6 * DAY),
        ]
        return [x509.load_der_x509_crl(der) for der in lists]

    @property
    def trust(self) -> dict[str, list[x509.Certificate]]:
        return {"intermediates": [self.issuing.certificate], "roots": [self.root.certificate]}


@dataclass(frozen=True)
class Cast:
    """The people and services of 江城市, and those whose certificates are no good."""

    sign_in: SoftKey
    signing: SoftKey
    seal: SoftKey
    server: SoftKey
    timestamp: SoftKey
    ocsp: SoftKey
    expired: SoftKey
    revoked: SoftKey
    stranger: SoftKey
    revocation: Revocation

    def of(self, profile: Profile) -> SoftKey:
        key: SoftKey = getattr(self, profile.name.lower())
        return key


class TokenKey(ec.EllipticCurvePrivateKey):
    """A key that never leaves its token: it signs, and refuses to be taken out."""

    def __init__(self, *, broken: bool = False) -> None:
        self._inside = INTL.generate_key()
        self._broken = broken
        self.signatures = 0

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._inside.curve

    @property
    def key_size(self) -> int:
        return self._inside.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._inside.public_key()

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm, **_options: Any) -> bytes:
        self.signatures += 1
        return self._inside.sign(b"a cosmic ray" if self._broken else data, signature_algorithm)

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise NotImplementedError

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise NotImplementedError

    def private_bytes(self, *_arguments: Any) -> bytes:
        raise NotImplementedError

    def __copy__(self) -> TokenKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenKey:
        return self


@dataclass(frozen=True)
class Openssl:
    """The command line of another implementation, in a folder of its own."""

    folder: Path

    def write(self, file: str, *things: Any) -> str:
        """Write bytes as they are, or certificates and lists as PEM."""
        pem = serialization.Encoding.PEM
        content = [thing if isinstance(thing, bytes) else thing.public_bytes(pem) for thing in things]
        (self.folder / file).write_bytes(b"".join(content))
        return file

    def read(self, file: str) -> bytes:
        return (self.folder / file).read_bytes()

    def __call__(self, *arguments: str) -> str:
        """What the command says, on both its channels."""
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def make_pki(common: str = "江城市电子政务根CA") -> Pki:
    root_key = ec.generate_private_key(ec.SECP384R1())
    root = create_root(root_key, name(common=common), NOW - 365 * DAY, NOW + 3650 * DAY)
    subject = name(common=common + "签发")
    return Pki(root, create_issuing(root, INTL.generate_key(), subject, NOW - 300 * DAY, NOW + 3000 * DAY))


def unchecked(
    issuer: Authority,
    *extensions: tuple[x509.ExtensionType, bool],
    profile: Profile = Profile.SIGNING,
    public_key: Any = None,
    subject: x509.Name | None = None,
    life: tuple[datetime, datetime] = (NOW - DAY, NOW + DAY),
    serial: int | None = None,
    without: tuple[type[x509.ExtensionType], ...] = (),
) -> x509.Certificate:
    """A certificate that no authority of ours would issue: these extensions replace those of the profile."""
    spec = SPECS[profile]
    public_key = public_key or INTL.generate_key().public_key()
    above = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usual: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=spec.is_authority, path_length=spec.path_length), True),
        (spec.key_usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), False),
    ]
    if spec.purposes:
        usual.append((x509.ExtendedKeyUsage(spec.purposes), spec.critical_purposes))
    replaced = {value.oid for value, _ in extensions} | {kind.oid for kind in without}
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common="无名") if subject is None else subject)
        .issuer_name(issuer.certificate.subject)
        .public_key(public_key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
    )
    for value, critical in [*(item for item in usual if item[0].oid not in replaced), *extensions]:
        builder = builder.add_extension(value, critical)
    return suite_for(issuer.certificate.public_key()).sign_built(builder, issuer.private_key)


@pytest.fixture(scope="session")
def pki() -> Pki:
    return make_pki()


@pytest.fixture(scope="session")
def foreign() -> Pki:
    return make_pki("别处的根CA")


@pytest.fixture(scope="session")
def cast(pki: Pki, foreign: Pki) -> Cast:
    revoked = pki.key(Profile.SIGNING, common="周涛")
    return Cast(
        sign_in=pki.key(Profile.SIGN_IN),
        signing=pki.key(Profile.SIGNING),
        seal=pki.key(Profile.SEAL, common="江城市人民政府办公室"),
        server=pki.key(Profile.SERVER, common="oa.jiangcheng.example"),
        timestamp=pki.key(Profile.TIMESTAMP, common="时间戳服务", life=2000 * DAY),
        ocsp=pki.key(Profile.OCSP, common="证书状态服务"),
        expired=pki.key(Profile.SIGNING, common="王芳", not_before=NOW - 200 * DAY, life=190 * DAY),
        revoked=revoked,
        stranger=foreign.key(Profile.SIGNING, common="外人"),
        revocation=Revocation(revoked.certificate.serial_number, NOW - timedelta(hours=1), "keyCompromise"),
    )


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def openssl(tmp_path: Path) -> Openssl:
    return Openssl(tmp_path)
