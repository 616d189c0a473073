"""Where keys are kept: what the agent needs of a token, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


@dataclass(frozen=True, slots=True)
class Device:
    """A token. `place` is the name under which its wrong PINs are counted, None when the device counts them itself."""

    id: str
    label: str
    kind: str
    place: str | None

    @property
    def writes_with_pin(self) -> bool:
        """Whether writing a certificate takes the PIN: certificates of a key file are public and need none."""
        return self.kind == "token"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A private key of a token, known by its certificate. `handle` means something to its source only."""

    device: Device
    label: str
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    handle: bytes

    @property
    def id(self) -> str:
        return certificate_id(self.certificate)


class KeySource(Protocol):
    """A folder of key files, or the tokens behind one driver. Every method raises Refused."""

    async def devices(self) -> list[Device]:
        """The tokens that are there now."""

    async def keys(self) -> list[StoredKey]:
        """The keys that have a certificate; no PIN is needed to list them."""

    async def is_present(self, key: StoredKey) -> bool:
        """Whether the key is still there."""

    async def sign(self, key: StoredKey, pin: str, messages: Sequence[bytes]) -> list[bytes]:
        """A signature over each message, all under one PIN entry. Raises WrongPin."""

    async def generate(self, device: Device, pin: str, label: str, subject: x509.Name) -> bytes:
        """Generate a key and make a certificate request (DER) with it."""

    async def write_certificate(
        self, device: Device, pin: str, certificate: x509.Certificate, chain: Sequence[x509.Certificate]
    ) -> None:
        """Write the certificate beside its key."""

    async def reset_pin(self, device: Device, so_pin: str, pin: str) -> None:
        """Give the token a new user PIN, which its security officer may. Raises WrongPin."""


def certificate_id(certificate: x509.Certificate) -> str:
    """How a certificate is named in the protocol: the SHA-256 of its DER, in hex."""
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def chain_of(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The certificates above `certificate` among `others`, nearest first; whoever verifies checks the signatures."""
    chain: list[x509.Certificate] = []
    current = certificate
    while current.issuer != current.subject:
        above = next((other for other in others if other.subject == current.issuer and other not in chain), None)
        if above is None:
            break
        chain.append(above)
        current = above
    return tuple(chain)
