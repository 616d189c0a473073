"""The test PKI, declared once: a root, an issuing authority, and one certificate of every kind and every fault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.authority import Authority, Order, create_issuing, create_root, name
from crypto.keys import SoftKey
from crypto.profiles import Profile
from crypto.revocation import Revocation, build_crl
from crypto.suite import INTL

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pki:
    """One root with one issuing authority below it."""

    root: Authority
    issuing: Authority

    def key(
        self,
        profile: Profile,
        *,
        common: str = "李明",
        not_before: datetime = NOW - 30 * DAY,
        life: timedelta = 365 * DAY,
        private_key: object | None = None,
    ) -> SoftKey:
        """A key with a certificate of this profile."""
        private = private_key or INTL.generate_key()
        order = Order(
            profile,
            private.public_key(),
            name(common=common, organ="江城市人民政府办公室"),
            not_before,
            not_before + life,
            dns_names=("oa.jiangcheng.example",) if profile is Profile.SERVER else (),
        )
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


def make_pki(common: str = "江城市电子政务根CA") -> Pki:
    root_key = ec.generate_private_key(ec.SECP384R1())
    root = create_root(root_key, name(common=common), NOW - 365 * DAY, NOW + 3650 * DAY)
    subject = name(common=common + "签发")
    return Pki(root, create_issuing(root, INTL.generate_key(), subject, NOW - 300 * DAY, NOW + 3000 * DAY))


@pytest.fixture(scope="session")
def pki() -> Pki:
    return make_pki()


@pytest.fixture(scope="session")
def foreign() -> Pki:
    return make_pki("别处的根CA")
