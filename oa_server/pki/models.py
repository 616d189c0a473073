"""Keys, certificates and what revoked them."""

from __future__ import annotations

from enum import StrEnum

from oa_server.storage import fields


class DeviceKind(StrEnum):
    TOKEN = "token"  # noqa: S105  a PKCS#11 token: the key never leaves it
    SOFTWARE = "software"  # an encrypted key file, for trials and tests


class CertificateState(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"


class RequestState(StrEnum):
    PENDING = "pending"
    ISSUED = "issued"


class KeyDevice(fields.Model):
    """证书介质: one USB key (or key file), handed to one official or kept for one organ's seal."""

    id = fields.Key()
    kind = fields.State(DeviceKind)
    label = fields.Text(64, unique=True)
    official = fields.ForeignKey("oa.Official", null=True)
    organ = fields.ForeignKey("oa.Organ", null=True)
    registered_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "key_device"


class Certificate(fields.Model):
    """证书: issued by our authority to an official (sign-in, signing) or an organ (seal)."""

    id = fields.Key()
    serial = fields.Text(64, unique=True)
    profile = fields.Text(32)
    official = fields.ForeignKey("oa.Official", null=True)
    organ = fields.ForeignKey("oa.Organ", null=True)
    device = fields.ForeignKey("oa.KeyDevice", null=True)
    subject = fields.Text(300)
    der = fields.Bytes()
    fingerprint = fields.Digest(unique=True)
    not_before = fields.Moment()
    not_after = fields.Moment()
    state = fields.State(CertificateState)
    revoked_at = fields.Moment(null=True)
    revocation_reason = fields.Text(32, null=True)

    class Meta:
        app = "oa"
        table = "certificate"


class CertificateRequest(fields.Model):
    """证书申请: the request of one key, checked, approved by somebody else, and issued once."""

    id = fields.Key()
    profile = fields.Text(32)
    official = fields.ForeignKey("oa.Official", null=True)
    organ = fields.ForeignKey("oa.Organ", null=True)
    device = fields.ForeignKey("oa.KeyDevice", null=True)
    csr = fields.Bytes()
    state = fields.State(RequestState)
    requested_by = fields.Id(null=True)
    approved_by = fields.Id(null=True)
    certificate = fields.ForeignKey("oa.Certificate", null=True)
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "certificate_request"


class TrustAnchor(fields.Model):
    """信任锚: a root we believe, or an intermediate that helps to reach one."""

    id = fields.Key()
    der = fields.Bytes()
    fingerprint = fields.Digest(unique=True)
    is_root = fields.Flag()
    name = fields.Text(200)

    class Meta:
        app = "oa"
        table = "trust_anchor"


class Crl(fields.Model):
    """证书吊销列表: each number once; the newest is the one in force."""

    id = fields.Key()
    issuer = fields.Digest()
    number = fields.Number()
    der = fields.Bytes()
    this_update = fields.Moment()
    next_update = fields.Moment()

    class Meta:
        app = "oa"
        table = "crl"
        unique_together = (("issuer", "number"),)
