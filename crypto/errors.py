"""What can be wrong with keys, certificates and signatures.

    CryptoError
    ├── KeyRefused          a key cannot be opened, or is too weak
    ├── CertificateRefused  a certificate or a revocation list may not be issued
    ├── SignatureRefused    a signature or timestamp is not what it should be
    ├── ContentRefused      bytes that are to be signed or verified cannot be read
    └── EnvelopeRefused     encrypted bytes were changed, cut, or are under another key

Verification does not raise: it returns a report of `Finding`s. Errors are for acts that cannot go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class CryptoError(Exception):
    """Base. `code` is stable and dotted; `facts` never hold secrets."""

    def __init__(self, code: str, message: str, /, **facts: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.facts = facts


class KeyRefused(CryptoError):
    """A key cannot be opened, or is too weak."""


class CertificateRefused(CryptoError):
    """A certificate or a revocation list may not be issued."""


class SignatureRefused(CryptoError):
    """A signature or timestamp is not what it should be."""


class ContentRefused(CryptoError):
    """Bytes that are to be signed or verified cannot be read."""


class EnvelopeRefused(CryptoError):
    """Encrypted bytes were changed, cut, or are under another key."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a verification found wrong: a stable code with its Chinese and English sentence."""

    code: str
    zh: str
    en: str
    facts: dict[str, str] = field(default_factory=dict)
