"""What officials write is encrypted in the database: each value is sealed for its row and column under the data key."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from oa_server.storage import sealing
from oa_server.storage.migrate import master_keys

AT_ONCE = 500
TEXT, JSON, BYTES = "text", "json", "bytes"


def _is_postgres(client):
    return client.capabilities.dialect == "postgres"


async def unlock(apps, schema_editor):
    """Have the data key, which an upgrade that was made in two steps left wrapped."""
    client = schema_editor.client
    _count, rows = await client.execute_query("SELECT id, wrapped_key FROM data_key")
    for row in rows:
        sealing.hold(master_keys(), row["id"], bytes(row["wrapped_key"]))


class Seal(ops.AlterField):
    """A column of `kind` becomes one of encrypted values, each bound to the value of the column `by` in its row."""

    def __init__(self, table, model_name, name, kind, *, null=False, by="id"):
        super().__init__(model_name, name, fields.BinaryField(null=null))
        self.table, self.kind, self.null, self.by = table, kind, null, by

    async def database_forward(self, app_label, old_state, new_state, state_editor=None):
        if state_editor:
            await self._replace(state_editor.client, "BYTEA", "BLOB", self._sealed)
            await self._rewrite(state_editor.client)

    async def database_backward(self, app_label, old_state, new_state, state_editor=None):
        if state_editor:
            before = new_state.apps.get_model(f"{app_label}.{self.model_name}")._meta.fields_map[self.name]
            postgres, sqlite = (
                before.get_for_dialect("postgres", "SQL_TYPE"),
                before.get_for_dialect("sqlite", "SQL_TYPE"),
            )
            await self._replace(state_editor.client, postgres, sqlite, self._opened)

    async def _replace(self, client, postgres, sqlite, convert):
        """Make the column anew, of another type, with what `convert` makes of each value."""
        table, name, fresh = self.table, self.name, f"{self.name}_fresh"
        await client.execute_query(
            f'ALTER TABLE "{table}" ADD COLUMN "{fresh}" {self._definition(client, postgres, sqlite)}'
        )
        await self._fill(client, fresh, convert)
        await client.execute_query(f'ALTER TABLE "{table}" DROP COLUMN "{name}"')
        await client.execute_query(f'ALTER TABLE "{table}" RENAME COLUMN "{fresh}" TO "{name}"')
        if _is_postgres(client) and not self.null:
            await client.execute_query(f'ALTER TABLE "{table}" ALTER COLUMN "{name}" SET NOT NULL')

    def _definition(self, client, postgres, sqlite):
        if _is_postgres(client):
            return postgres
        return sqlite if self.null else f"{sqlite} NOT NULL DEFAULT ''"

    async def _fill(self, client, fresh, convert):
        first, second = ("$1", "$2") if _is_postgres(client) else ("?", "?")
        update = f'UPDATE "{self.table}" SET "{fresh}" = {first} WHERE id = {second}'
        last = None
        while True:
            after = "" if last is None else f"WHERE id > {first}"
            _count, rows = await client.execute_query(
                f'SELECT id, "{self.by}" AS place, "{self.name}" AS value FROM "{self.table}" {after}'
                f" ORDER BY id LIMIT {AT_ONCE}",
                [] if last is None else [last],
            )
            if not rows:
                return
            values = [[convert(row["place"], row["value"]), row["id"]] for row in rows if row["value"] is not None]
            if values:
                await client.execute_many(update, values)
            last = rows[-1]["id"]

    def _sealed(self, place, value):
        data = bytes(value) if self.kind == BYTES else value.encode()
        return sealing.sealed(self.table, self.name, place, data)

    def _opened(self, place, value):
        data = sealing.opened(self.table, self.name, place, value)
        return data if self.kind == BYTES else data.decode()

    async def _rewrite(self, client):
        """PostgreSQL leaves a dropped column's values where they are until the table is written anew."""
        if _is_postgres(client):
            name = self.name
            await client.execute_query(
                f'ALTER TABLE "{self.table}" ALTER COLUMN "{name}" TYPE BYTEA USING "{name}" || \'\'::BYTEA'
            )


class Migration(migrations.Migration):
    dependencies = [("oa", "0015_data_key")]

    initial = False

    operations = [
        ops.RunPython(unlock, ops.RunPython.noop),
        Seal("outgoing_document", "OutgoingDocument", "note", TEXT),
        Seal("outgoing_document", "OutgoingDocument", "body", JSON),
        Seal("document_version", "DocumentVersion", "elements", JSON),
        Seal("document_version", "DocumentVersion", "body", JSON),
        Seal("opinion", "Opinion", "text", TEXT),
        Seal("number_ledger", "NumberLedger", "reason", TEXT),
        Seal("incoming_document", "IncomingDocument", "refusal_text", TEXT, null=True),
        Seal("incoming_document", "IncomingDocument", "proposal", TEXT),
        Seal("incoming_document", "IncomingDocument", "result", TEXT),
        Seal("signature_request", "SignatureRequest", "content", BYTES),
        Seal("signature_request", "SignatureRequest", "state", BYTES),
        Seal("signature", "Signature", "content", BYTES),
        Seal("stored_file", "StoredFile", "name", TEXT),
        Seal("audit_record", "AuditRecord", "facts", JSON),
        Seal("event", "Event", "payload", JSON, by="topic"),
        Seal("kept_answer", "KeptAnswer", "body", BYTES),
        ops.RunPython(ops.RunPython.noop, unlock),
    ]
