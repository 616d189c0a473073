"""Which key a server signs its requests with: configured by the administrator, or kept from the first use.

Where the configuration names a key for an origin, nothing else is believed. Otherwise the key that the page offers is
shown to the person, kept when the PIN confirms it, and from then on no other is believed for that origin.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from oa_agent.config import Server
from oa_agent.durable import write_durably
from oa_agent.errors import CHANGED_SERVER, UNKNOWN_SERVER, Refused
from oa_agent.protocol import b64, unb64


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A server's key. `first_use`: nobody has vouched for it yet."""

    server: Server
    public_key: ec.EllipticCurvePublicKey
    first_use: bool = False

    @property
    def fingerprint(self) -> str:
        """The first half of the key's SHA-256, in groups that can be read out over the telephone."""
        digest = sha256(unb64(self.server.public_key)).hexdigest()[:32]
        return " ".join(digest[at : at + 4] for at in range(0, 32, 4))


class RequestKeys:
    """The keys believed, by origin."""

    def __init__(self, configured: Iterable[Server], pins: Path) -> None:
        self._configured = tuple(configured)
        self._pins = pins

    def find(self, origin: str, kid: str, offered: str | None) -> RequestKey:
        """The key `kid` of `origin`, or the one offered for the first use. Raises Refused when there is none."""
        known = [server for server in self._configured if server.origin == origin] or self._pinned(origin)
        for server in known:
            if server.kid == kid:
                return RequestKey(server, _load(server.public_key))
        if known:
            raise Refused(CHANGED_SERVER)
        if offered is None:
            raise Refused(UNKNOWN_SERVER)
        return RequestKey(Server(origin, kid, b64(unb64(offered, UNKNOWN_SERVER))), _load(offered), first_use=True)

    def keep(self, key: RequestKey) -> None:
        """Believe this key from now on."""
        others = [server for server in self._read() if server.origin != key.server.origin]
        write_durably(self._pins, msgspec.json.encode([*others, key.server]))

    def forget(self, origin: str) -> bool:
        """Forget a key kept from the first use, after the administrator has confirmed that it changed."""
        kept = self._read()
        others = [server for server in kept if server.origin != origin]
        write_durably(self._pins, msgspec.json.encode(others))
        return len(others) < len(kept)

    def _pinned(self, origin: str) -> list[Server]:
        return [server for server in self._read() if server.origin == origin]

    def _read(self) -> list[Server]:
        """The kept keys. A spoilt file refuses: to start afresh would be to believe the next key that comes along."""
        try:
            return msgspec.json.decode(self._pins.read_bytes(), type=list[Server])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError) as error:
            raise Refused(UNKNOWN_SERVER) from error


def _load(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(unb64(text, UNKNOWN_SERVER))
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as error:
        raise Refused(UNKNOWN_SERVER) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Refused(UNKNOWN_SERVER)
    return key
