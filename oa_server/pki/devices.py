"""The life of key devices: entered, handed over, unlocked, returned, lost, retired."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from oa_server.audit.verbs import Verb
from oa_server.core.actor import Actor
from oa_server.core.errors import Conflict, Unavailable
from oa_server.core.ids import new_id
from oa_server.pki import access, rules
from oa_server.pki.actions import CertificateRegister, Subject
from oa_server.pki.models import DeviceEntry, DeviceKind, DeviceVerb, KeyDevice
from oa_server.storage.unit_of_work import Work, conflict_on, lock_row, unit_of_work


async def register_device(actor: Actor, kind: DeviceKind, label: str, subject: Subject) -> KeyDevice:
    """Enter a key device into the inventory. Raises Denied, Conflict when its label is taken."""
    rules.check(actor, "keep_devices")
    async with unit_of_work(actor) as work:
        async with conflict_on(rules.LABEL_TAKEN, label=label):
            device = await KeyDevice.create(
                id=new_id(),
                kind=kind,
                label=label,
                official_id=subject.official_id,
                organ_id=subject.organ_id,
                registered_at=work.now,
                state=DeviceVerb.REGISTERED,
            )
        entry = await _enter(work, device, DeviceVerb.REGISTERED, "")
        work.audit(Verb.DEVICE_REGISTERED, "key_device", device.id, made=[device, entry], kind=kind, label=label)
    return device


async def known_or_new(actor: Actor, kind: DeviceKind, label: str, subject: Subject) -> KeyDevice:
    """The device with this label, entered if it was not. Raises Denied; Conflict when it is somebody else's, or useless."""
    known = await access.device_labelled(label)
    if known is None:
        return await register_device(actor, kind, label, subject)
    check_holder(known, subject)
    return known


async def keep_device(
    actor: Actor, device_id: UUID, verb: DeviceVerb, register: CertificateRegister, *, note: str = ""
) -> None:
    """Enter what became of a device. Of one that is lost, every certificate is suspended in the same act.

    Raises NotFound, Denied, Conflict when its state does not allow the verb.
    """
    rules.check(actor, "keep_devices")
    async with unit_of_work(actor) as work:
        await lock_row(KeyDevice, device_id)
        device = await access.device(device_id)
        rules.check_device_verb(device.standing, verb)
        await KeyDevice.filter(id=device.id).update(state=verb)
        entry = await _enter(work, device, verb, note)
        suspended = await register.suspend_all(work, device_id=device.id) if verb == DeviceVerb.LOST else []
        work.audit(
            Verb.DEVICE_KEPT,
            "key_device",
            device.id,
            rows=[device, *suspended],
            made=[entry],
            became=verb,
            note=note,
            suspended=[row.serial for row in suspended],
        )
    if suspended:
        with suppress(Unavailable):
            await register.renew_lists(actor)


async def _enter(work: Work, device: KeyDevice, verb: DeviceVerb, note: str) -> DeviceEntry:
    return await DeviceEntry.create(
        id=new_id(), device_id=device.id, verb=verb, note=note, by=work.actor.name, at=work.now
    )


def is_usable(device: KeyDevice, subject: Subject) -> bool:
    """Whether a key for this subject may be made in a device: it is theirs, and neither lost nor retired."""
    is_theirs = (device.official_id, device.organ_id) == (subject.official_id, subject.organ_id)
    return is_theirs and device.standing not in rules.USELESS_DEVICES


def check_holder(device: KeyDevice, subject: Subject) -> None:
    """A key is made in its holder's own device, one that is not lost or retired. Raises Conflict."""
    if not is_usable(device, subject):
        raise Conflict(rules.NOT_THEIR_DEVICE)
