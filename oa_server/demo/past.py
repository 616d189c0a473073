"""What has happened in the sample city before today: acts of former days are done with the clock moved back to them, in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime, time, timedelta

from oa_server.app import House
from oa_server.audit import actions as audit
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.core.clock import OFFICE_ZONE
from oa_server.core.errors import Conflict
from oa_server.pki import access as pki

_MORNING = time(9, 30)
_FRIDAY = 4


def working_day(days_ago: int) -> date:
    """The day so long ago; of a weekend the Friday before it."""
    day = clock.today() - timedelta(days=days_ago)
    return day - timedelta(days=max(0, day.weekday() - _FRIDAY)) if days_ago else day


@asynccontextmanager
async def on_day(house: House, day: date) -> AsyncIterator[None]:
    """The block happens on that day, and at its end the log gets what a running server gives it: leaves, and a signed head."""
    begin = datetime.combine(day, _MORNING, OFFICE_ZONE)
    offset = timedelta(0) if day == clock.today() else begin - clock.now()
    with clock.shifted(offset):
        if house.register.signer.exists and await pki.lists_due():
            await house.register.renew_lists(SYSTEM)
        yield
        while await audit.sequence():
            pass
        with suppress(Conflict):
            await audit.sign_head()
