"""Giving keys out: for each holder a key file, requested by one administrator, approved by another, and issued."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from crypto.authority import name
from crypto.keys import make_csr, seal_key_file
from crypto.profiles import Profile
from crypto.suite import INTL
from oa_server.core.actor import Actor
from oa_server.identity import access as identity
from oa_server.pki import access as pki
from oa_server.pki import devices, issuing
from oa_server.pki.actions import CertificateRegister, Subject
from oa_server.pki.models import DeviceKind, DeviceVerb, KeyDevice

PIN = "123456"  # of every key of the sample city


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Who gives keys out, and where the key files go."""

    register: CertificateRegister
    folder: Path
    requester: Actor
    approver: Actor

    async def official(self, official_id: UUID, label: str, pin: str) -> list[Path]:
        """Two keys for one official: one to sign in, one to sign."""
        subject = Subject(official_id=official_id)
        device = await self._device(label, subject)
        files = [
            (await self._key(profile, subject, f"{label}.{profile}", pin, device))[0]
            for profile in (Profile.SIGN_IN, Profile.SIGNING)
        ]
        await devices.keep_device(self.requester, device.id, DeviceVerb.HANDED_OVER, self.register)
        return files

    async def seal(self, organ_id: UUID, label: str, pin: str) -> tuple[Path, str]:
        """The seal key of an organ: its file and the serial number of its certificate."""
        subject = Subject(organ_id=organ_id)
        device = await self._device(label, subject)
        key = await self._key(Profile.SEAL, subject, f"{label}.seal", pin, device)
        await devices.keep_device(self.requester, device.id, DeviceVerb.HANDED_OVER, self.register)
        return key

    async def _device(self, label: str, subject: Subject) -> KeyDevice:
        return await devices.register_device(self.requester, DeviceKind.SOFTWARE, label, subject)

    async def _key(
        self, profile: Profile, subject: Subject, file: str, pin: str, device: KeyDevice
    ) -> tuple[Path, str]:
        """A new key in its file, and the serial number of its certificate."""
        key = INTL.generate_key()
        names = name(**await issuing.names_of(subject))
        request = await issuing.request(self.requester, profile, make_csr(key, names), subject, device=device)
        issued = await issuing.approve(self.approver, request.id, self.register)
        certificate = pki.parsed(issued)
        chain = [certificate, *await pki.chain_above(certificate)]
        path = self.folder / f"{file}.oakey"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(await asyncio.to_thread(seal_key_file, key, pin, chain))
        path.chmod(0o600)
        await issuing.install(self.requester, request.id, self.register)
        return path, issued.serial


async def actor_named(code: str) -> Actor:
    """The official with this code, as an actor in their first post."""
    official = await identity.official_by_code(code)
    post = await identity.post_of(official.id)
    assert post is not None
    roles = await identity.roles_of(official.id, post.organ_id)
    return Actor(official.name, official.id, post.organ_id, post.unit_id, roles)
