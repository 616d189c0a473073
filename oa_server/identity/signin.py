"""Signing in with a certificate: challenge, answer, session.

The page fetches a challenge, the key agent signs it together with the origin that the browser showed it, and the answer
opens a session. The nonce is never stored, only its digest, together with the browser it was given to; it is good once,
for sixty seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

from crypto import challenge as signin_challenge
from oa_server.audit.verbs import Verb
from oa_server.core import clock
from oa_server.core.actor import SYSTEM, Actor
from oa_server.core.errors import Denied, NotSignedIn, OaError
from oa_server.core.ids import new_id
from oa_server.core.ports import ports
from oa_server.identity import access, actions, rules, tokens
from oa_server.identity.models import Challenge, Session
from oa_server.storage.unit_of_work import housekeeping, marking, unit_of_work

SESSION_TOKEN = "oa-session"  # noqa: S105  the type of a token, not one


@dataclass(frozen=True, slots=True)
class SignInPolicy:
    """What a deployment decides about sessions."""

    origin: str
    idle: timedelta
    limit: timedelta
    administrator_networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the browser brings back: certificate and chain (DER), the nonce, and the raw signature."""

    certificate: bytes
    chain: tuple[bytes, ...]
    nonce: bytes
    signature: bytes


class SignIn:
    """Opens, finds and ends sessions under one policy and one key set (`core.ports.SessionLookup`)."""

    def __init__(self, policy: Callable[[], Awaitable[SignInPolicy]], keyset: tokens.KeySet) -> None:
        self._policy = policy
        self._keyset = keyset

    async def idle_minutes(self) -> int:
        """After how many minutes without a request a session ends, as it is in force."""
        return int((await self._policy()).idle.total_seconds() // 60)

    async def challenge(self, browser: str) -> bytes:
        """A fresh nonce for the browser that holds the pre-session cookie `browser`."""
        nonce = signin_challenge.new_nonce()
        # Anybody may ask, so asking leaves no trace in the audit log: it could be filled. Answering does.
        async with housekeeping() as work:
            await Challenge.create(
                id=new_id(),
                nonce_sha256=sha256(nonce).hexdigest(),
                browser_sha256=sha256(browser.encode()).hexdigest(),
                expires_at=work.now + rules.CHALLENGE_LIFE,
            )
            await Challenge.filter(expires_at__lt=work.now - rules.CHALLENGE_KEPT).delete()
        return nonce

    async def open(self, answer: Answer, *, browser: str, address: str | None) -> tuple[str, Session]:
        """Check the answer and open a session: its token and its row. Raises NotSignedIn or Denied with the reason."""
        await self._use_challenge(answer.nonce, browser)
        try:
            return await self._open(answer, address)
        except OaError as error:
            async with unit_of_work(SYSTEM) as work:
                serial = _serial(answer.certificate)
                work.audit(Verb.SIGN_IN_REFUSED, "certificate", serial, code=error.code, address=address)
            raise

    async def _use_challenge(self, nonce: bytes, browser: str) -> None:
        """Spend the challenge before anything else, so that no answer can be tried twice."""
        digest = sha256(nonce).hexdigest()
        async with housekeeping() as work:
            row = await access.challenge(digest)
            rules.check_challenge(row, sha256(browser.encode()).hexdigest(), work.now)
            spent = await Challenge.filter(nonce_sha256=digest, used_at=None).update(used_at=work.now)
            if spent != 1:
                raise NotSignedIn(rules.USED_CHALLENGE)

    async def _open(self, answer: Answer, address: str | None) -> tuple[str, Session]:
        register, policy = ports.certificates, await self._policy()
        assert register is not None, "app.py plugs the certificate register in"
        shown = register.read(answer.certificate)
        # Who does not hold the key learns nothing of the certificate.
        if not signin_challenge.verify_answer(shown.public_key, policy.origin, answer.nonce, answer.signature):
            raise NotSignedIn(rules.WRONG_SIGNATURE)
        holder = await register.examine(answer.certificate, answer.chain, "sign-in")
        post = await access.post_of(holder.official_id) if holder.official_id else None
        if post is None:
            raise Denied(rules.NOT_AN_OFFICIAL)
        official = await access.official(post.official_id)
        roles = await access.roles_of(official.id, post.organ_id)
        rules.check_place(roles, address, policy.administrator_networks)
        actor = Actor(
            name=official.name,
            official_id=official.id,
            organ_id=post.organ_id,
            unit_id=post.unit_id,
            certificate_serial=holder.serial,
            address=address,
        )
        async with unit_of_work(actor) as work:
            await register.hold(holder.serial)
            session = await Session.create(
                id=new_id(),
                official_id=official.id,
                organ_id=post.organ_id,
                certificate_serial=holder.serial,
                address=address,
                opened_at=work.now,
                seen_at=work.now,
                expires_at=min(work.now + policy.limit, shown.not_after),
            )
            work.audit(Verb.SIGNED_IN, "session", session.id, serial=holder.serial)
        return self._token(session, policy.origin), session

    def _token(self, session: Session, origin: str) -> str:
        return tokens.make(
            self._keyset,
            kind=SESSION_TOKEN,
            audience=origin,
            subject=str(session.official_id),
            token_id=str(session.id),
            issued=session.opened_at,
            expires=session.expires_at,
        )

    async def find(self, token: str, address: str | None, *, quietly: bool = False) -> Actor:
        """The actor behind a token, with the roles of this very moment. Raises NotSignedIn.

        Unless it is done `quietly`, finding a session keeps it from going idle.
        """
        now, policy = clock.now(), await self._policy()
        claims = tokens.verify(token, self._keyset, kind=SESSION_TOKEN, audience=policy.origin, at=now)
        session = await access.live_session(UUID(claims["jti"]))
        session = rules.check_session(session, now, policy.idle, policy.limit)
        rules.check_place(session.roles, address, policy.administrator_networks)
        if not quietly and now - session.seen_at > rules.SEEN_EVERY:
            await self._touch(session.id)
        return Actor(
            name=session.name,
            official_id=session.official_id,
            organ_id=session.organ_id,
            unit_id=session.unit_id,
            roles=session.roles,
            session_id=session.id,
            certificate_serial=session.certificate_serial,
            address=address,
        )

    async def live(self, ids: Collection[UUID]) -> set[UUID]:
        """Which of these sessions are not over yet."""
        now, policy = clock.now(), await self._policy()
        return await access.live_sessions(ids, now, seen_since=now - policy.idle, opened_since=now - policy.limit)

    async def leave(self, token: str, address: str | None) -> None:
        """End the session behind a token that its browser is about to lose, if there still is one."""
        try:
            actor = await self.find(token, address)
        except NotSignedIn:
            return
        assert actor.session_id is not None
        await actions.end_session(actor, actor.session_id, reason=rules.SESSION_ENDED.code)

    @staticmethod
    async def _touch(session_id: UUID) -> None:
        async with marking() as work:
            await Session.filter(id=session_id, ended_at=None).update(seen_at=work.now)


def new_browser_secret() -> str:
    """What the pre-session cookie holds: it binds a challenge to the browser that asked for it."""
    return secrets.token_urlsafe(32)


def _serial(certificate: bytes) -> str:
    """The serial number for the record of a refusal; what is no certificate has none."""
    assert ports.certificates is not None
    try:
        return ports.certificates.read(certificate).serial[:64]
    except Denied:
        return "unreadable"
