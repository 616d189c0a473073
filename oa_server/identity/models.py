"""Organs and people, and who is signed in."""

from __future__ import annotations

from enum import StrEnum

from oa_server.core.actor import Role
from oa_server.storage import fields


class OrganLevel(StrEnum):
    """级别: decides the diameter of the seal and who is above whom."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWNSHIP = "township"
    DEPARTMENT = "department"


class Organ(fields.Model):
    """机关. `issuing_word` is its 发文机关代字 (江政办发) and `issuer_mark` its 发文机关标志; an organ without them does not issue."""

    id = fields.Key()
    code = fields.Text(32, unique=True)
    full_name = fields.Text(120)
    short_name = fields.Text(60)
    level = fields.State(OrganLevel)
    superior = fields.ForeignKey("oa.Organ", null=True)
    issuing_word = fields.Text(20, default="")
    issuer_mark = fields.Text(60, default="")
    retired_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "organ"


class Remit(fields.Model):
    """主要职责: one thing that an organ answers for, in a phrase, as the rules of its establishment (三定规定) list it."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    text = fields.Text(100)
    position = fields.Number(default=0)

    class Meta:
        app = "oa"
        table = "remit"
        unique_together = (("organ", "text"),)


class Unit(fields.Model):
    """部门、处室 of an organ."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    name = fields.Text(100)
    position = fields.Number(default=0)
    retired_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "unit"
        unique_together = (("organ", "name"),)


class Official(fields.Model):
    """人员. `code` is unique in the whole installation; one person is one row, which stays when they leave."""

    id = fields.Key()
    code = fields.Text(32, unique=True)
    name = fields.Text(60)
    active = fields.Flag(default=True)
    retired_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "official"


class Post(fields.Model):
    """岗位: an official in a unit with a title; every act is done as somebody in a post."""

    id = fields.Key()
    official = fields.ForeignKey("oa.Official")
    unit = fields.ForeignKey("oa.Unit")
    organ = fields.ForeignKey("oa.Organ")
    title = fields.Text(60)
    is_principal = fields.Flag(default=False)
    position = fields.Number(default=0)

    class Meta:
        app = "oa"
        table = "post"
        unique_together = (("official", "unit"),)


class Responsibility(fields.Model):
    """职责: one role of an official in an organ; a unit head also names the unit."""

    id = fields.Key()
    official = fields.ForeignKey("oa.Official")
    organ = fields.ForeignKey("oa.Organ")
    unit = fields.ForeignKey("oa.Unit", null=True)
    role = fields.State(Role)

    class Meta:
        app = "oa"
        table = "responsibility"
        unique_together = (("official", "organ", "role"),)


class RoleChangeState(StrEnum):
    """状态 of a role that is to be given: proposed by one administrator, confirmed by another."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class RoleChange(fields.Model):
    """职责授予: a role that somebody is to get in a unit, who proposed it and as what, and who decided."""

    id = fields.Key()
    official = fields.ForeignKey("oa.Official")
    organ = fields.ForeignKey("oa.Organ")
    unit = fields.ForeignKey("oa.Unit")
    role = fields.State(Role)
    reason = fields.Text(200)
    state = fields.State(RoleChangeState, db_index=True)
    proposed_by = fields.Id()
    proposed_as = fields.State(Role)
    proposed_at = fields.Moment()
    decided_by = fields.Id(null=True)
    decided_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "role_change"


class Duty(fields.Model):
    """值班: an official on duty for an organ, or one unit of it, from one moment to another."""

    id = fields.Key()
    organ = fields.ForeignKey("oa.Organ")
    unit = fields.ForeignKey("oa.Unit", null=True)
    official = fields.ForeignKey("oa.Official")
    starts_at = fields.Moment()
    ends_at = fields.Moment()
    telephone = fields.Text(40, default="")
    remark = fields.Text(200, default="")

    class Meta:
        app = "oa"
        table = "duty"
        unique_together = (("organ", "official", "starts_at"),)
        indexes = (fields.Index(fields=("organ_id", "ends_at")),)


class Challenge(fields.Model):
    """A sign-in challenge: only its digest is kept, with the browser it was given to."""

    id = fields.Key()
    nonce_sha256 = fields.Digest(unique=True)
    browser_sha256 = fields.Digest()
    expires_at = fields.Moment(db_index=True)
    used_at = fields.Moment(null=True)

    class Meta:
        app = "oa"
        table = "challenge"


class Session(fields.Model):
    """会话. The token in the cookie names the row (`jti`); the row decides."""

    id = fields.Key()
    official = fields.ForeignKey("oa.Official")
    organ = fields.ForeignKey("oa.Organ")
    certificate_serial = fields.Text(64, db_index=True)
    address = fields.Text(64, null=True)
    opened_at = fields.Moment()
    seen_at = fields.Moment()
    expires_at = fields.Moment()
    ended_at = fields.Moment(null=True)
    end_reason = fields.Text(64, null=True)

    class Meta:
        app = "oa"
        table = "session"


class ClientState(StrEnum):
    """状态 of a department's system: registered by one administrator, let in by another."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REFUSED = "refused"


class ApiClient(fields.Model):
    """接入系统: a department's system, bound to a unit, in the name of an official there who answers for it.

    `code` is its `client_id` (RFC 6749, 2.2). `certificate` is the key that it signs in with, by assertion or by mTLS.
    """

    id = fields.Key()
    code = fields.Text(32, unique=True)
    name = fields.Text(60)
    organ = fields.ForeignKey("oa.Organ")
    unit = fields.ForeignKey("oa.Unit")
    official = fields.ForeignKey("oa.Official")
    certificate = fields.Bytes()
    certificate_sha256 = fields.Digest(unique=True)
    scopes = fields.Json()
    purpose = fields.Text(200)
    per_minute = fields.Number()
    state = fields.State(ClientState)
    registered_by = fields.Id(null=True)
    approved_by = fields.Id(null=True)
    registered_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "api_client"


class UsedAssertion(fields.Model):
    """An assertion that was shown: its `jti` is good once (RFC 7523, 3). Kept for as long as it could be shown again."""

    id = fields.Key()
    jti_sha256 = fields.Digest(unique=True)
    expires_at = fields.Moment(db_index=True)

    class Meta:
        app = "oa"
        table = "used_assertion"
