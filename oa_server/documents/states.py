"""The vocabulary of official documents: kinds, marks and states, with the words officials use for them.

Sources: 《党政机关公文处理工作条例》(中办发〔2012〕14号) articles 8 (kinds) and 9 (elements); states after reference of the
same regulation, chapters 5 and 6.
"""

from __future__ import annotations

from oa_server.core.actor import Role
from oa_server.core.words import Word


class DocKind(Word):
    """文种, article 8."""

    RESOLUTION = "resolution", "决议"
    DECISION = "decision", "决定"
    ORDER = "order", "命令（令）"
    COMMUNIQUE = "communique", "公报"
    ANNOUNCEMENT = "announcement", "公告"
    PUBLIC_NOTICE = "public_notice", "通告"
    OPINION = "opinion", "意见"
    NOTICE = "notice", "通知"
    CIRCULAR = "circular", "通报"
    REPORT = "report", "报告"
    REQUEST = "request", "请示"
    REPLY = "reply", "批复"
    MOTION = "motion", "议案"
    LETTER = "letter", "函"
    MINUTES = "minutes", "纪要"


UPWARD_KINDS = frozenset({DocKind.REPORT, DocKind.REQUEST})


class Urgency(Word):
    """紧急程度, article 9(3)."""

    NORMAL = "normal", "平件"
    URGENT = "urgent", "加急"
    EXTRA_URGENT = "extra_urgent", "特急"


class Classification(Word):
    """密级, article 9(2), in rising order; the deployment's ceiling cuts the list."""

    NONE = "none", "非涉密"
    INTERNAL = "internal", "内部"
    CONFIDENTIAL = "confidential", "秘密"
    SECRET = "secret", "机密"
    TOP_SECRET = "top_secret", "绝密"

    @property
    def rank(self) -> int:
        return list(Classification).index(self)

    @property
    def longest_years(self) -> int | None:
        """How long such a secret may be kept (保守国家秘密法, article 20); None for what is no state secret at all."""
        return _LONGEST_YEARS.get(self)

    @property
    def clearance(self) -> Role | None:
        """What its readers must be cleared for; None for what everybody may read who has business with it."""
        return _CLEARANCE.get(self)


_LONGEST_YEARS = {Classification.CONFIDENTIAL: 10, Classification.SECRET: 20, Classification.TOP_SECRET: 30}
_CLEARANCE = {
    Classification.CONFIDENTIAL: Role.CLEARED_GENERAL,
    Classification.SECRET: Role.CLEARED_IMPORTANT,
    Classification.TOP_SECRET: Role.CLEARED_CORE,
}


class Publicity(Word):
    """公开属性, 政府信息公开条例."""

    ACTIVE = "active", "主动公开"
    ON_REQUEST = "on_request", "依申请公开"
    CLOSED = "closed", "不予公开"


class RecipientRole(Word):
    MAIN = "main", "主送"
    COPY = "copy", "抄送"


class RenditionKind(Word):
    REVIEW = "review", "送审稿"
    FROZEN = "frozen", "定版"
    SEALED = "sealed", "正本"


class LedgerState(Word):
    ISSUED = "issued", "已用"
    VOID = "void", "作废"


class OutgoingState(Word):
    """发文 states; the route inside UNDER_REVIEW is the office's own."""

    DRAFTING = "drafting", "起草"
    UNDER_REVIEW = "under_review", "审核"
    SIGNED = "signed", "已签发"
    NUMBERED = "numbered", "已编号"
    FROZEN = "frozen", "已定版"
    SEALED = "sealed", "已用印"
    DISPATCHED = "dispatched", "已分发"
    CLOSED = "closed", "办结"
    ABANDONED = "abandoned", "已作废"


class IncomingState(Word):
    """收文 states."""

    ARRIVED = "arrived", "待签收"
    SIGNED_FOR = "signed_for", "已签收"
    REFUSED = "refused", "已拒收"
    REGISTERED = "registered", "已登记"
    PROPOSED = "proposed", "待批示"
    INSTRUCTED = "instructed", "已批示"
    HANDLING = "handling", "承办中"
    HANDLED = "handled", "已承办"
    CLOSED = "closed", "办结"


class RefusalCode(Word):
    """拒收原因."""

    NOT_ADDRESSEE = "not_addressee", "非本机关收文"
    BAD_PACKAGE = "bad_package", "文件不完整或无法打开"
    BAD_SIGNATURE = "bad_signature", "印章或签名验证不通过"
    CLASSIFICATION = "classification", "密级超出本机关可收范围"
    DUPLICATE = "duplicate", "重复来文"
    FORMAT = "format", "文种或格式不符合规定"
