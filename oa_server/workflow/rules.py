"""Pure decisions about tasks, and the routes that every installation starts with."""

from __future__ import annotations

from typing import Any

from oa_server.core.actor import Actor, Role
from oa_server.core.errors import Ability, Reason

NOT_OPEN = Reason("workflow.not_open", "该环节已被处理，请刷新", "The step has been dealt with; reload.")
NOBODY_CLEARED = Reason(
    "workflow.nobody_cleared",
    "下一环节没有涉密等级足够的人员，请由安全保密管理员授予相应等级后再办理",
    "Nobody who comes next is cleared for this; the security administrator gives the clearance first.",
)
NOBODY = Reason("workflow.nobody", "下一环节没有可以办理的人员，请联系系统管理员", "Nobody can do the next step.")
TOO_MANY_ROWS = Reason(
    "workflow.too_many_rows", "清单过长，请缩小筛选范围后再导出", "The list is too long to export; narrow it first."
)
BAD_TEMPLATE = Reason("workflow.bad_template", "流程模板不正确", "The route template cannot be walked.")
TASKS_OPEN = Reason(
    "workflow.tasks_open",
    "还有待办或流转中的事项无人接办：请先把职责授予他人，或指定同一机关的接办人",
    "Work would be left to nobody: give the role to somebody else first, or name a successor of the same organ.",
)
NOT_SYSTEM_ADMIN = Reason(
    "workflow.not_system_admin", "只有系统管理员可以发布流程模板", "Only the system administrator publishes routes."
)


def _step(code: str, title: str, *, hours: int = 0, **who: str) -> dict[str, Any]:
    return {"type": "step", "code": code, "title": title, "who": who, "hours": hours}


OUTGOING = {
    "type": "sequence",
    "blocks": [
        _step("draft", "拟稿", fact="drafter"),
        _step("unit_review", "部门审核", role="unit_head", unit_fact="unit"),
        _step("office_review", "办公室核稿", role="office_reviewer"),
        _step("signing", "签发", fact="signer"),
        _step("numbering", "编号定版", role="clerk"),
        _step("sealing", "用印", role="seal_keeper"),
        _step("dispatching", "分发", role="clerk"),
    ],
}

INCOMING = {
    "type": "sequence",
    "blocks": [
        _step("register", "登记", role="clerk"),
        _step("propose", "拟办", role="clerk"),
        _step("instruct", "批示", fact="leader"),
        _step("assign", "分办", role="clerk"),
        _step("handle", "承办", role="unit_head", unit_fact="unit"),
        _step("close", "办结", role="clerk"),
    ],
}

NAMED = 20  # how many of the tasks that keep somebody from leaving are told

# Time limits of a step by urgency, in working days of the organ: what offices keep, which the regulation leaves to them. A step
# whose template says how many office hours it takes has those.
WORKING_DAYS = {"extra_urgent": 1, "urgent": 3, "normal": 7}


def abilities(actor: Actor) -> list[Ability]:
    """What `actor` may do with route templates."""
    publishes = actor.is_system or actor.has(Role.SYSTEM_ADMIN)
    return [Ability("publish_template", None if publishes else NOT_SYSTEM_ADMIN)]


def check(actor: Actor, verb: str) -> None:
    """Refuse a verb that is not open to the actor. Raises Denied saying why."""
    next(a for a in abilities(actor) if a.verb == verb).check()
