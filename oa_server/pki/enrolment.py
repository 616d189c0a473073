"""The first keys of administrators: whoever is at the server's console gives each a code, good once, to make their own key with.

There is nobody yet who could approve. So the code takes the place of both administrators: it names one person, is handed to
them in person, ends within a day, and every act it leads to is on record as the console's.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import ADMIN_ROLES, SYSTEM, Actor
from oa_server.core.errors import Conflict, Denied, NotFound
from oa_server.core.ids import new_id
from oa_server.identity import access as identity
from oa_server.pki import access, devices, issuing, rules
from oa_server.pki.actions import CertificateRegister, Subject
from oa_server.pki.models import (
    CertificateRequest,
    DeviceKind,
    DeviceVerb,
    Enrolment,
    KeyDevice,
    RequestState,
)
from oa_server.storage.unit_of_work import lock_row, unit_of_work

LIFE = timedelta(days=1)
REQUEST_LIMIT = 10  # A key that breaks on the way is tried again, but not for ever.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # None that are taken for another.
_GROUPS, _GROUP = 5, 4


async def open_enrolment(actor: Actor, official_id: UUID) -> str:
    """A code for an administrator's first keys; one that was given before is good no longer.

    Raises Denied anywhere but at the console, and for whoever is no administrator.
    """
    post = await identity.post_of(official_id)
    roles = await identity.roles_of(official_id, post.organ_id) if post else frozenset()
    if not actor.is_system or not roles & ADMIN_ROLES:
        raise Denied(rules.CONSOLE_ENROLS_ADMINS)
    code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    async with unit_of_work(actor) as work:
        former = await Enrolment.filter(official_id=official_id, finished_at=None)
        await Enrolment.filter(id__in=[row.id for row in former]).update(finished_at=work.now)
        row = await Enrolment.create(
            id=new_id(),
            official_id=official_id,
            code_sha256=_digest(code),
            opened_at=work.now,
            expires_at=work.now + LIFE,
        )
        work.audit(Verb.ENROLMENT_OPENED, "official", official_id, rows=[row, *former], expires_at=row.expires_at)
    return code


def _digest(code: str) -> str:
    """Codes are told over telephones: case, spaces and dashes do not count."""
    return sha256("".join(code.upper().split()).replace("-", "").encode()).hexdigest()


async def enrolment(code: str) -> Enrolment:
    """The enrolment that a code opens. Raises NotFound when there is none, or it is over."""
    found = await access.open_enrolment(_digest(code))
    if found is None:
        raise NotFound(rules.NO_ENROLMENT)
    return found


async def enrol(
    code: str, kind: DeviceKind, label: str, keys: Sequence[issuing.NewKey], register: CertificateRegister
) -> list[CertificateRequest]:
    """Issue certificates for an administrator's keys. Sent again, the same keys get the certificates that they have.

    Raises NotFound, Conflict, Invalid, Unavailable.
    """
    row = await enrolment(code)
    subject = Subject(official_id=row.official_id)
    device = await devices.known_or_new(SYSTEM, kind, label, subject)
    found = []
    for key in keys:
        request = await _request(row, key, subject, device)
        if request.state == RequestState.PENDING:
            await issuing.approve(SYSTEM, request.id, register)
        elif request.state == RequestState.APPROVED:
            await issuing.issue(SYSTEM, request.id, register)
        found.append(await access.request(request.id))
    return found


async def _request(row: Enrolment, key: issuing.NewKey, subject: Subject, device: KeyDevice) -> CertificateRequest:
    """The request for a key, made once however often its page was loaded again. The enrolment's row is held meanwhile."""
    async with unit_of_work(SYSTEM):
        await lock_row(Enrolment, row.id)
        made = await access.requests_of(row.official_id)
        known = next((one for one in made if bytes(one.csr) == key.csr and one.profile == key.profile), None)
        if known is not None:
            return known
        if len(made) >= REQUEST_LIMIT:
            raise Conflict(rules.TOO_MANY_KEYS)
        return await issuing.request(SYSTEM, key.profile, key.csr, subject, device=device)


async def finish(code: str, register: CertificateRegister) -> None:
    """The certificates are on their keys: enter that, and close the enrolment. Raises NotFound, Conflict."""
    row = await enrolment(code)
    issued = [one for one in await access.requests_of(row.official_id) if one.state == RequestState.ISSUED]
    if not issued:
        raise Conflict(rules.NOT_ISSUED)
    for request in issued:
        await issuing.install(SYSTEM, request.id, register)
    for device_id in {request.device_id for request in issued}:
        if (await access.device(device_id)).standing == DeviceVerb.REGISTERED:
            await devices.keep_device(SYSTEM, device_id, DeviceVerb.HANDED_OVER, register)
    async with unit_of_work(SYSTEM) as work:
        await Enrolment.filter(id=row.id).update(finished_at=work.now)
        work.audit(Verb.ENROLMENT_FINISHED, "official", row.official_id, rows=[row])
