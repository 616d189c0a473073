"""Who reads the log: its auditor alone (GB/T 22239-2019, 8.1.5.2)."""

from __future__ import annotations

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Denied, Reason

NOT_AUDIT_ADMIN = Reason(
    "audit.not_audit_admin", "只有安全审计员可以查阅审计日志", "Only the audit administrator reads the audit log."
)
NO_HEAD_YET = Reason(
    "audit.no_head_yet",
    "该记录尚未进入签署过的树头，请一分钟后再取证明",
    "No signed head covers this record yet; ask again in a minute.",
)
SPOILT_COPY = Reason(
    "audit.spoilt_copy",
    "库外的树头副本无法识别，请先保全该副本，再移走使其重新生成",
    "A copied head cannot be read; keep it as evidence, then move it away so that it is made anew.",
)
COPY_SILENT = Reason(
    "audit.copy_silent",
    "存放树头副本的位置没有应答，请检查其网络和服务",
    "The place that heads are copied to does not answer; check its network and service.",
)
SET_BACK = Reason(
    "audit.set_back",
    "库外存有审计日志所没有的树头，数据库可能被退回或改写：请立即运行 oa audit verify；查明原因后保全该副本，再移走使其重新生成",
    "A copied head is not in the log; the database may have been set back. Run oa audit verify, keep the copy, move it away.",
)
DAMAGED = Reason(
    "audit.damaged",
    "审计日志与签署过的树头不一致，不能出具证明，请立即运行 oa audit verify",
    "The log does not agree with its signed head; run oa audit verify at once.",
)


def check_reads(actor: Actor) -> None:
    """Raises Denied for everybody but the audit administrator."""
    if not (actor.is_system or actor.has(Role.AUDIT_ADMIN)):
        raise Denied(NOT_AUDIT_ADMIN)
