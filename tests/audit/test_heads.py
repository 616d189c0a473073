"""The heads of the log stay good as time passes, whoever looks at them and when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crypto.cms import open_cms
from oa_server.app import open_house
from oa_server.audit.actions import sequence_all, sign_head
from oa_server.audit.models import AuditHead
from oa_server.core import clock
from oa_server.core.actor import SYSTEM
from oa_server.settings import Settings
from oa_server.verification import all_faults, log_faults

DAY = timedelta(days=1)
YEAR = 365 * DAY


async def signed() -> AuditHead:
    """A head over the log as it stands; that it was signed gets its leaf as well."""
    await sequence_all()
    head = await sign_head()
    assert head is not None
    await sequence_all()
    return head


@pytest.mark.timeout(300)
@pytest.mark.parametrize("later", [8 * DAY, 4 * YEAR], ids=["a week without lists", "after the certificates ran out"])
async def test_an_old_log(finished: Settings, later: timedelta) -> None:
    """What was whole is whole on the day a backup is restored, though no list is in force and certificates have run out."""
    async with open_house(finished) as house:
        with clock.shifted(later):
            assert [fault async for fault in all_faults(house)] == []


@pytest.mark.parametrize("later", [8 * DAY, 4 * YEAR], ids=["a week", "four years"])
async def test_a_log_that_goes_on(settings: Settings, later: timedelta) -> None:
    """A server that was off goes on signing heads that are good, beside the old ones, whichever of them one looks at when."""
    async with open_house(settings) as house:
        old = await signed()
        with clock.shifted(later):
            await house.register.renew_lists(SYSTEM)
            new = await signed()
            assert [fault async for fault in log_faults()] == []
        assert [fault async for fault in log_faults()] == []
    first, second = (open_cms(bytes(head.signature)) for head in (old, new))
    assert first.timestamp is not None
    assert (first.signer == second.signer) is (later < YEAR)


async def test_a_quiet_night(settings: Settings) -> None:
    """While nothing happens no heads are signed, though each head leaves a record of its own; the next act has one again."""
    async with open_house(settings) as house:
        await signed()
        for _minute in range(3):
            assert await sign_head() is None
            await sequence_all()
        await house.register.renew_lists(SYSTEM)
        await signed()


async def test_a_head_that_is_not_ours(settings: Settings) -> None:
    """A signature is good over its own head only, and not at a moment at which it had not been made."""
    async with open_house(settings) as house:
        at = clock.now()
        signature = await house.register.sign_head(b"one", at)
        assert await house.register.verify_head(b"one", signature, at)
        assert not await house.register.verify_head(b"two", signature, at)
        assert not await house.register.verify_head(b"one", signature, at - DAY)
