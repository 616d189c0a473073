"""What the certificate register announces."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertificateRevoked:
    """A certificate is bad from now on; everything that rests on it ends."""

    serial: str
