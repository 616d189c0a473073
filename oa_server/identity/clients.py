"""Departments' systems: registered by one administrator, let in by another, and signed in by the key of their certificate.

They sign in with an assertion under that key (RFC 7523) or over TLS with the certificate itself (RFC 8705), and hold a token of
ten minutes; where the connection showed the certificate, the token is good on such connections only.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from crypto.errors import KeyRefused
from crypto.suite import suite_for
from oa_server.audit import access as audit
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Denied, Invalid, NotSignedIn, OaError
from oa_server.core.ids import new_id
from oa_server.core.ports import CertificateRegister, ShownCertificate, Visit, ports
from oa_server.identity import access, rules, tokens
from oa_server.identity.models import ApiClient, ClientState, UsedAssertion
from oa_server.storage.unit_of_work import conflict_on, housekeeping, lock_row, transition, unit_of_work

ACCESS_TOKEN = "oa-access"  # noqa: S105  the type of a token, not one
LIFE = timedelta(minutes=10)
GRANT = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class NewClient:
    """What an administrator enters about a system."""

    code: str
    name: str
    unit_id: UUID
    official_id: UUID
    certificate: bytes
    scopes: frozenset[str]
    purpose: str
    per_minute: int


async def register_client(actor: Actor, wanted: NewClient) -> ApiClient:
    """Enter a department's system; another administrator lets it in.

    Raises Denied, also for a certificate that cannot be read or is withdrawn; Invalid for unknown scopes and an official who
    holds no post there; NotFound; Conflict when code or certificate are taken.
    """
    rules.check(actor, "register_client")
    entered = await _checked(wanted)
    async with unit_of_work(actor) as work:
        await _register().check_not_withdrawn(entered["certificate_sha256"])
        async with conflict_on(rules.CLIENT_TAKEN):
            row = await ApiClient.create(
                id=new_id(), code=wanted.code, registered_by=actor.official_id, registered_at=work.now, **entered
            )
        work.audit(Verb.CLIENT_REGISTERED, "api_client", row.id, rows=[row], **await _facts(row))
    return row


async def amend_client(actor: Actor, client_id: UUID, wanted: NewClient) -> ApiClient:
    """Enter a system anew under its code, as with another certificate; another administrator lets it in again.

    Raises as registering does, and Denied while it is let in.
    """
    rules.check(actor, "register_client")
    entered = await _checked(wanted)
    async with unit_of_work(actor) as work:
        await lock_row(ApiClient, client_id)
        before = await access.client(actor, client_id)
        rules.check_amends(actor, before)
        if wanted.code != before.code:
            raise Invalid(rules.CODE_STAYS)
        await _register().check_not_withdrawn(entered["certificate_sha256"])
        async with conflict_on(rules.CLIENT_TAKEN):
            await ApiClient.filter(id=client_id).update(
                **entered, registered_by=actor.official_id, approved_by=None, registered_at=work.now
            )
        row = await access.client(actor, client_id)
        work.audit(Verb.CLIENT_REGISTERED, "api_client", row.id, rows=[row], **await _facts(row))
    return row


def _register() -> CertificateRegister:
    assert ports.certificates is not None, "app.py plugs the certificate register in"
    return ports.certificates


async def _facts(row: ApiClient) -> dict[str, Any]:
    """What the log keeps of an entry, in words: all that whoever lets the system in decides about."""
    units, people = await access.unit_names({row.unit_id}), await access.people({row.official_id})
    organs, official = await access.organ_short_names({row.organ_id}), people[row.official_id]
    return {
        "code": row.code,
        "name": row.name,
        "unit": f"{organs[row.organ_id]}　{units[row.unit_id]}",
        "official": f"{official.name}（{official.code}）",
        "scopes": row.scopes,
        "purpose": row.purpose,
        "per_minute": row.per_minute,
        "certificate": row.certificate_sha256,
    }


async def _checked(wanted: NewClient) -> dict[str, Any]:
    """The columns of an entry that may be made. Raises Denied, Invalid, NotFound."""
    if unknown := wanted.scopes - rules.SCOPES.keys():
        raise Invalid(rules.UNKNOWN_SCOPE, scopes=sorted(unknown))
    unit = await access.unit(wanted.unit_id)
    if not await access.holds_post(wanted.official_id, unit.id):
        raise Invalid(rules.NOT_THERE)
    read_certificate(wanted.certificate)
    return {
        "name": wanted.name,
        "organ_id": unit.organ_id,
        "unit_id": unit.id,
        "official_id": wanted.official_id,
        "certificate": wanted.certificate,
        "certificate_sha256": sha256(wanted.certificate).hexdigest(),
        "scopes": sorted(wanted.scopes),
        "purpose": wanted.purpose,
        "per_minute": wanted.per_minute,
        "state": ClientState.PENDING,
    }


def read_certificate(certificate: bytes) -> ShownCertificate:
    """What stands in a certificate (DER) whose key is strong enough. Raises Denied when it cannot be read, Invalid."""
    shown = _register().read(certificate)
    try:
        suite_for(shown.public_key).check_quality(shown.public_key)
    except KeyRefused as error:
        raise Invalid(rules.WEAK_KEY, error.message) from error
    return shown


async def changes(row: ApiClient) -> dict[str, tuple[Any, Any]]:
    """What is otherwise about a system than when it was let in last, by name: before and now; nothing for a new one."""
    before, now = await _last_let_in(row) or {}, await _facts(row)
    return {name: (before[name], now[name]) for name in before if name in now and before[name] != now[name]}


async def decide_client(actor: Actor, client_id: UUID, verb: str, *, why: str = "") -> ApiClient:
    """Let a system in, refuse or suspend it saying why, or let it in again.

    Raises Denied, NotFound, Invalid without a reason, Conflict when its state does not allow it.
    """
    rules.check(actor, "decide_client")
    rules.check_reasoned(verb, why)
    before, after = rules.CLIENT_VERBS[verb]
    async with unit_of_work(actor) as work:
        row = await access.client(actor, client_id)
        if row.registered_by is not None and row.registered_by == actor.official_id:
            raise Denied(rules.OWN_CLIENT)
        change = {"state": after} | ({"approved_by": actor.official_id} if verb == "approve" else {})
        await transition(ApiClient, row.id, reason=rules.CLIENT_STATE, expect={"state": before}, change=change)
        work.audit(
            Verb.CLIENT_DECIDED,
            "api_client",
            row.id,
            rows=[row],
            code=row.code,
            decision=verb,
            entry=await _last_let_in(row) if verb == "refuse" else await _facts(row),
            why=why,
        )
    return await access.client(actor, client_id)


async def _last_let_in(row: ApiClient) -> dict[str, Any] | None:
    """What was let in last, which a refusal of something else does not change."""
    decided = await audit.newest_of(row.id, Verb.CLIENT_DECIDED)
    return decided.facts.get("entry") if decided else None


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a system sends for a token (RFC 6749, 4.4.2; RFC 7523, 2.2)."""

    grant_type: str = ""
    scope: str = ""
    client_id: str = ""
    client_assertion_type: str = ""
    client_assertion: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    token: str
    seconds: int
    scopes: Sequence[str]


class ClientDesk:
    """Gives tokens to systems and knows them by those (`core.ports.ClientLookup`)."""

    def __init__(self, keyset: tokens.KeySet, origin: str) -> None:
        self._keyset = keyset
        self.token_address = f"{origin}/api/v1/token"
        self._audience = f"{origin}/api/v1"

    async def grant(self, asked: TokenRequest, certificate_sha256: str | None, address: str | None) -> Granted:
        """A token for a system that has shown its key. Raises NotSignedIn, Denied, Invalid."""
        if asked.grant_type != GRANT:
            raise Invalid(rules.UNKNOWN_GRANT)
        client = await access.client_by_code(self._claimed(asked))
        try:
            return await self._grant(asked, rules.check_client(client), certificate_sha256, address)
        except OaError as error:
            # Only what is registered leaves a trace: a stranger could fill the log.
            if client is not None:
                async with unit_of_work(_actor(client, address)) as work:
                    work.audit(Verb.CLIENT_REFUSED, "api_client", client.id, code=error.code, client=client.code)
            raise

    @staticmethod
    def _claimed(asked: TokenRequest) -> str:
        """Whose key will be shown. Raises NotSignedIn."""
        if asked.client_assertion:
            if asked.client_assertion_type != ASSERTION_TYPE:
                raise NotSignedIn(rules.NO_CREDENTIALS)
            return tokens.claimed_client(asked.client_assertion)
        return asked.client_id

    async def _grant(
        self, asked: TokenRequest, client: ApiClient, certificate_sha256: str | None, address: str | None
    ) -> Granted:
        register, now = _register(), clock.now()
        shown = register.read(bytes(client.certificate))
        is_bound = certificate_sha256 == client.certificate_sha256
        if asked.client_assertion:
            assertion = tokens.verify_assertion(
                asked.client_assertion, shown.public_key, audience=self.token_address, at=now
            )
            await self._use(client, assertion)
        elif not is_bound:
            raise NotSignedIn(rules.NO_CREDENTIALS)
        if shown.not_after <= now:
            raise Denied(rules.CERTIFICATE_OVER)
        await register.check_not_withdrawn(client.certificate_sha256)
        scopes = _scopes(asked.scope, client.scopes)
        async with unit_of_work(_actor(client, address)) as work:
            told = {"code": client.code, "scopes": scopes, "bound": is_bound, "purpose": client.purpose}
            work.audit(Verb.CLIENT_ADMITTED, "api_client", client.id, **told)
        token = tokens.make(
            self._keyset,
            kind=ACCESS_TOKEN,
            audience=self._audience,
            subject=str(client.id),
            token_id=str(new_id()),
            issued=now,
            expires=now + LIFE,
            claims={"scope": " ".join(scopes), "unit": str(client.unit_id), "purpose": client.purpose}
            | ({"cnf": {"x5t#S256": _thumbprint(client.certificate_sha256)}} if is_bound else {}),
        )
        return Granted(token, int(LIFE.total_seconds()), scopes)

    @staticmethod
    async def _use(client: ApiClient, assertion: tokens.Assertion) -> None:
        """Spend an assertion. Raises NotSignedIn when it was shown before."""
        if assertion.client != client.code:
            raise NotSignedIn(tokens.BAD_ASSERTION)
        digest = sha256(f"{client.id} {assertion.token_id}".encode()).hexdigest()
        async with housekeeping() as work:
            await UsedAssertion.filter(expires_at__lt=work.now - LIFE).delete()
            try:
                async with conflict_on(rules.USED_ASSERTION):
                    await UsedAssertion.create(id=new_id(), jti_sha256=digest, expires_at=work.now + LIFE)
            except Conflict as error:
                raise NotSignedIn(rules.USED_ASSERTION) from error

    async def find(self, token: str, certificate_sha256: str | None, address: str | None) -> Visit:
        """The system behind a token, as it stands this moment. Raises NotSignedIn."""
        claims = tokens.verify(token, self._keyset, kind=ACCESS_TOKEN, audience=self._audience, at=clock.now())
        bound = claims.get("cnf", {}).get("x5t#S256")
        if bound is not None and (certificate_sha256 is None or bound != _thumbprint(certificate_sha256)):
            raise NotSignedIn(rules.OTHER_CERTIFICATE)
        client = await access.live_client(UUID(claims["sub"]))
        if client is None or client.state != ClientState.ACTIVE or not client.active:
            raise NotSignedIn(rules.BAD_CLIENT)
        scopes = frozenset(claims["scope"].split()) & frozenset(client.scopes)
        return Visit(_actor(client, address), scopes, client.per_minute)


def _actor(client: ApiClient | access.LiveClient, address: str | None) -> Actor:
    """A system as an actor: in the name of the official who answers for it, without any of their roles."""
    return Actor(
        name=client.name,
        official_id=client.official_id,
        organ_id=client.organ_id,
        unit_id=client.unit_id,
        address=address,
        client_id=client.id,
    )


def _scopes(asked: str, allowed: Sequence[str]) -> list[str]:
    """What a token is good for: what was asked for, or all that the system may. Raises Invalid for more than that."""
    wanted = asked.split() or list(allowed)
    if unknown := set(wanted) - set(allowed):
        raise Invalid(rules.UNKNOWN_SCOPE, scopes=sorted(unknown))
    return sorted(set(wanted))


def _thumbprint(certificate_sha256: str) -> str:
    """`x5t#S256` (RFC 8705, 3.1)."""
    return base64.urlsafe_b64encode(bytes.fromhex(certificate_sha256)).rstrip(b"=").decode()


def token_request(form: dict[str, Any]) -> TokenRequest:
    """The members of a form that we know; others are passed over (RFC 6749, 3.2)."""
    return TokenRequest(**{name: form.get(name, "") for name in TokenRequest.__slots__})


def certificate_der(pem: str) -> bytes:
    """The DER in a PEM; what is none is given on as it is, to be refused by whoever reads it."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    try:
        return base64.b64decode("".join(line for line in lines if not line.startswith("-----")), validate=True)
    except ValueError:
        return pem.encode()


def certificate_until(client: ApiClient) -> datetime:
    """When a system's certificate runs out."""
    return _register().read(bytes(client.certificate)).not_after
