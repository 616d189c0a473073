"""Where the data key lies: wrapped under a master key, in the database whose values it opens, so each copy of one has both."""

from __future__ import annotations

from crypto.errors import EnvelopeRefused
from oa_server.storage import fields, sealing
from oa_server.storage.database import select
from oa_server.storage.master_keys import MasterKeys

# What a copy of the database is asked: by which master keys its data key is wrapped.
MASTER_KEYS = "SELECT DISTINCT substr(wrapped_key, 1, 8) FROM data_key"
TRIES = 2


class DataKey(fields.Model):
    """数据密钥, wrapped. Made by the migration that brought it; only its wrapping ever changes, which authenticates itself."""

    id = fields.Key()
    wrapped_key = fields.Bytes()

    class Meta:
        app = "oa"
        table = "data_key"


async def unlock(masters: MasterKeys) -> bool:
    """Have this process open what is sealed. Returns whether it can; otherwise each thing that is sealed will be refused."""
    sealing.forget()
    for _ in range(TRIES):  # Between reading the row and unwrapping, a change of master key may have come to its end.
        for row in await DataKey.all():
            try:
                sealing.hold(masters, row.id, bytes(row.wrapped_key))
            except EnvelopeRefused:
                continue
            return True
    return False


async def rewrap(masters: MasterKeys, newest: bytes) -> tuple[list[DataKey], list[str]]:
    """Wrap every data key that is not yet under the newest master key anew, inside the unit of work that is open.

    Returns the keys that were wrapped anew, and the names of those that no master key opens.
    """
    done, stuck = [], []
    for row in await DataKey.all():
        if bytes(row.wrapped_key).startswith(newest):
            continue
        try:
            row.wrapped_key = sealing.rewrapped_key(masters, row.id, bytes(row.wrapped_key))
        except EnvelopeRefused:
            stuck.append(f"data_key:{row.id}")
            continue
        await row.save(update_fields=["wrapped_key"])
        done.append(row)
    return done, stuck


async def count_by_master_key() -> dict[bytes, int]:
    """How many data keys are under each master key, by its id."""
    found = await select("SELECT substr(wrapped_key, 1, 8) AS key_id, COUNT(*) AS n FROM data_key GROUP BY 1")
    return {bytes(row["key_id"]): row["n"] for row in found}
