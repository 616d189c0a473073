"""Keys, certificates and what revoked them."""

from __future__ import annotations

from enum import StrEnum

from oa_server.storage import fields


class DeviceKind(StrEnum):
    TOKEN = "token"  # noqa: S105  a PKCS#11 token: the key never leaves it
    SOFTWARE = "software"  # an encrypted key file, for trials and tests


class DeviceVerb(StrEnum):
    """What becomes of a key device. The latest one tells where it is."""

    REGISTERED = "registered"  # 入库
    HANDED_OVER = "handed_over"  # 发放
    RETURNED = "returned"  # 交回
    UNLOCKED = "unlocked"  # 解锁: its PIN was set anew
    LOST = "lost"  # 挂失
    RETIRED = "retired"  # 报废


class CertificateState(StrEnum):
    GOOD = "good"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class RequestKind(StrEnum):
    FIRST = "first"  # 首次申领
    RENEWAL = "renewal"  # 续期: a new certificate for the same key
    REKEY = "rekey"  # 换钥: a new key in the holder's device
    REPLACEMENT = "replacement"  # 补办: for a key that was lost or broke


class RequestState(StrEnum):
    PENDING = "pending"
    REFUSED = "refused"
    APPROVED = "approved"  # It holds its ticket; the signer has yet to answer.
    ISSUED = "issued"
    INSTALLED = "installed"  # The certificate is on its key.


class KeyDevice(fields.Model):
    """证书介质: one USB key (or key file), handed to one official or kept for one organ's seal.

    `state` is the verb of its last entry; one without any has only been registered.
    """

    id = fields.Key()
    kind = fields.State(DeviceKind)
    label = fields.Text(64, unique=True)
    official = fields.ForeignKey("oa.Official", null=True)
    organ = fields.ForeignKey("oa.Organ", null=True)
    registered_at = fields.Moment()
    state = fields.State(DeviceVerb, null=True)

    @property
    def standing(self) -> DeviceVerb:
        """What became of it last."""
        return DeviceVerb(self.state or DeviceVerb.REGISTERED)

    class Meta:
        app = "oa"
        table = "key_device"


class DeviceEntry(fields.Model):
    """介质台账: one line of a device's life. Lines are added and never changed."""

    id = fields.Key()
    device = fields.ForeignKey("oa.KeyDevice")
    verb = fields.State(DeviceVerb)
    note = fields.Text(200, default="")
    by = fields.Text(60)
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "device_entry"


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
    """证书申请: the request of one key, checked, approved by somebody else, and issued once.

    `serial` is its ticket: the serial number that an approved request's certificate will have, whoever has it made and
    however often they must try.
    """

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
    kind = fields.State(RequestKind, null=True)
    replaces = fields.ForeignKey("oa.Certificate", null=True)
    serial = fields.Text(64, null=True, unique=True)
    decided_at = fields.Moment(null=True)
    refusal = fields.Text(300, null=True)

    class Meta:
        app = "oa"
        table = "certificate_request"


class CertifiedKey(fields.Model):
    """已用公钥: a public key belongs to one holder for one use, for ever."""

    id = fields.Key()
    key_sha256 = fields.Digest(unique=True)
    profile = fields.Text(32)
    official = fields.ForeignKey("oa.Official", null=True)
    organ = fields.ForeignKey("oa.Organ", null=True)

    class Meta:
        app = "oa"
        table = "certified_key"


class Enrolment(fields.Model):
    """首次登记: leave for one administrator to make their first keys, by a code of which only the digest is kept."""

    id = fields.Key()
    official = fields.ForeignKey("oa.Official")
    code_sha256 = fields.Digest(unique=True)
    opened_at = fields.Moment()
    expires_at = fields.Moment()
    finished_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "enrolment"


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
