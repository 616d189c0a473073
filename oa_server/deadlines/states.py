"""The vocabulary of clocks, with the words officials use for it."""

from __future__ import annotations

from oa_server.core.words import Word


class ClockState(Word):
    """Whether a clock runs."""

    RUNNING = "running", "计时中"
    PAUSED = "paused", "已暂停"
    STOPPED = "stopped", "已停止"


class EventKind(Word):
    """What can befall a clock."""

    STARTED = "started", "开始计时"
    PAUSED = "paused", "暂停计时"
    RESUMED = "resumed", "恢复计时"
    EXTENDED = "extended", "延长期限"
    STOPPED = "stopped", "停止计时"
    RECOMPUTED = "recomputed", "按新日历重新推算"


class PauseGround(Word):
    """为何不计入期限. 行政许可法第四十五条 (hearing, inspection, test, quarantine, appraisal, expert review) and 政府信息公开条例第三十二
    条 (third parties) name most of them; what lies before a correction (第三十条) and with others is house practice."""

    CORRECTION = "correction", "补正"
    THIRD_PARTY = "third_party", "征求第三方意见"
    EXAMINATION = "examination", "听证、检验、鉴定、评审"
    SITE_VISIT = "site_visit", "现场勘查"
    OTHER_AGENCY = "other_agency", "等待协办"
    SUSPENDED = "suspended", "中止办理"


class LightColour(Word):
    """How near a clock is to its end."""

    GREEN = "green", "正常"
    BLUE = "blue", "提醒"
    YELLOW = "yellow", "即将到期"
    RED = "red", "逾期"
    GREY = "grey", "不计时"
