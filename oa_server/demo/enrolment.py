"""Giving keys out: for each holder a key file, requested by one administrator, approved by another, and issued."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography import x509

from crypto.authority import name
from crypto.keys import make_csr, seal_key_file
from crypto.profiles import Profile
from crypto.suite import INTL
from oa_server.core.actor import Actor
from oa_server.identity import access as identity
from oa_server.pki import access as pki
from oa_server.pki.actions import CertificateRegister, Subject
from oa_server.pki.models import DeviceKind

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
        device = await self.register.register_device(self.requester, DeviceKind.SOFTWARE, label, subject)
        return [
            (await self._key(profile, subject, f"{label}.{profile}", pin, device.label))[0]
            for profile in (Profile.SIGN_IN, Profile.SIGNING)
        ]

    async def seal(self, organ_id: UUID, label: str, pin: str) -> tuple[Path, str]:
        """The seal key of an organ: its file and the serial number of its certificate."""
        subject = Subject(organ_id=organ_id)
        device = await self.register.register_device(self.requester, DeviceKind.SOFTWARE, label, subject)
        return await self._key(Profile.SEAL, subject, f"{label}.seal", pin, device.label)

    async def _key(
        self, profile: Profile, subject: Subject, file: str, pin: str, device_label: str
    ) -> tuple[Path, str]:
        """A new key in its file, and the serial number of its certificate."""
        key = INTL.generate_key()
        device = await pki.device(device_label)
        request = await self.register.request(
            self.requester, profile, make_csr(key, name(common=file)), subject, device
        )
        issued = await self.register.approve(self.approver, request)
        trust = await pki.trust()
        chain = [x509.load_der_x509_certificate(bytes(issued.der)), *trust.intermediates, *trust.roots]
        path = self.folder / f"{file}.oakey"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(seal_key_file(key, pin, chain))
        path.chmod(0o600)
        return path, issued.serial


async def actor_named(code: str) -> Actor:
    """The official with this code, as an actor in their first post."""
    official = await identity.official_by_code(code)
    post = await identity.post_of(official.id)
    assert post is not None
    roles = await identity.roles_of(official.id, post.organ_id)
    return Actor(official.name, official.id, post.organ_id, post.unit_id, roles)
