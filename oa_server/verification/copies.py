"""The log against the heads that lie outside the database: who cuts its tail, or sets all of it back, does not reach those."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from oa_server.audit import access as audit
from oa_server.audit import copies
from oa_server.audit.copies import CopyPlace
from oa_server.core.errors import OaError
from oa_server.verification.faults import Fault


async def copy_faults(places: Sequence[CopyPlace]) -> AsyncIterator[Fault]:
    """Each place's newest head against the log as it is."""
    for place in places:
        where = f"库外树头副本（{place.name}）"
        try:
            copy = await copies.newest_copy(place.store)
        except OaError:
            yield Fault(where, "无法读取")
            continue
        if copy is None:
            yield Fault(where, "没有副本")
        elif not await copies.is_ours(copy):
            yield Fault(where, "签名无效")
        elif (size := await audit.leaf_count()) < copy.size:
            yield Fault(f"审计日志第 {size} 条之后", f"末尾被删除：{place.name} 存有 {copy.size} 条时签署的树头")
        elif await copies.root_at(copy.size) != copy.root:
            yield Fault(where, f"与日志不一致：{copy.size} 条时的树头在库中被删除或替换")
