"""The years that are known before anybody enters a notice: those of the package `chinesecalendar`.

They lie in it as one list of days off and one of weekends that are worked, whatever notice each came from; here each day
stands in the year that it lies in.
"""

from __future__ import annotations

from datetime import date
from importlib.metadata import version

from chinese_calendar import constants

from oa_server.deadlines.engine import Named

SOURCE = f"chinesecalendar {version('chinesecalendar')}"

_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "抗战胜利纪念日",
}


def seed_years() -> dict[int, dict[date, Named]]:
    """Each year's days off and make-up days."""
    found: dict[int, dict[date, Named]] = {}
    for days, off in ((constants.holidays, True), (constants.workdays, False)):
        for day, name in days.items():
            found.setdefault(day.year, {})[day] = Named(off, _NAMES[name])
    return dict(sorted(found.items()))
