"""办理时限与规则: the limits that a sitting begins with, each with its source. A sitting's own rows take their place.

What stands here is configuration (reference 1.2): places differ, and a sitting's secretariat says what holds for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oa_server.deadlines.engine import Term, TermUnit


class Limit(StrEnum):
    """What is limited."""

    DISPATCH = "dispatch"
    RETURN = "return"
    COHANDLER = "cohandler"
    REPLY = "reply"
    EXTENSION = "extension"
    REHANDLING = "rehandling"
    FEEDBACK = "feedback"
    COSIGNERS = "cosigners"
    RETURNS = "returns"
    ROUNDS = "rounds"
    UNSATISFIED = "unsatisfied"


class LimitUnit(StrEnum):
    """What a limit counts: time as the calendar has it, or people and times."""

    WORKING_DAY = TermUnit.WORKING_DAY.value
    DAY = TermUnit.DAY.value
    MONTH = TermUnit.MONTH.value
    COUNT = "count"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Allowed:
    """One limit: so many of a unit, what it is called, and where it is said."""

    limit: Limit
    title: str
    unit: LimitUnit
    quantity: int
    source: str

    @property
    def term(self) -> Term:
        return Term(TermUnit(self.unit), self.quantity)


DEFAULTS = (
    Allowed(Limit.DISPATCH, "交办", LimitUnit.DAY, 30, "大会闭会后三十日内交办（地方人大代表建议办理规定通例）"),
    Allowed(Limit.RETURN, "退办", LimitUnit.WORKING_DAY, 10, "各地为三至十五个工作日不等，由本届次规定"),
    Allowed(Limit.COHANDLER, "协办意见", LimitUnit.MONTH, 1, "协办单位自交办之日起一个月内送主办单位"),
    Allowed(Limit.REPLY, "答复", LimitUnit.MONTH, 3, "代表法、各地办理规定：自交办之日起三个月内答复"),
    Allowed(Limit.EXTENSION, "延期后总时限", LimitUnit.MONTH, 6, "经交办机关同意并向代表、委员说明，最长不超过六个月"),
    Allowed(Limit.REHANDLING, "二次办理", LimitUnit.MONTH, 1, "对答复不满意的，自交回之日起一个月内再次答复"),
    Allowed(Limit.FEEDBACK, "评价", LimitUnit.DAY, 30, "收到答复后三十日内评价，逾期记为未评价"),
    Allowed(
        Limit.COSIGNERS, "议案联名人数", LimitUnit.COUNT, 10, "代表法：县级以上代表十人以上联名，全国人大为三十人以上"
    ),
    Allowed(Limit.RETURNS, "退办次数", LimitUnit.COUNT, 2, "同一件退办两次后由交办机关裁定，不得再退"),
    Allowed(Limit.ROUNDS, "办理轮次", LimitUnit.COUNT, 2, "再次答复后仍不满意的，不再重新交办，由督查机关跟踪"),
    Allowed(
        Limit.UNSATISFIED, "不满意比例", LimitUnit.PERCENT, 50, "领衔人不满意，或不满意的提案人达到此比例，重新交办"
    ),
)
