"""Software keys: a folder of encrypted key files (`crypto.keys`, `*.oakey`), for trials and tests."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from cryptography import x509

from crypto.errors import CryptoError
from crypto.keys import make_csr, open_key_file, read_certificates, seal_key_file, with_certificates
from crypto.suite import INTL
from oa_agent.durable import write_durably
from oa_agent.errors import NAME_TAKEN, NO_KEY_FOR_CERTIFICATE, NO_OFFICER, TOKEN_REMOVED, Refused, refused
from oa_agent.sources import Device, StoredKey

SUFFIX = ".oakey"
REQUEST_SUFFIX = ".csr"
DEVICE_ID = "software"
DEVICE_LABEL = "软件密钥"

_log = logging.getLogger(__name__)


class KeyFolder:
    """The key files of one folder (`sources.KeySource`). Each file locks by itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def devices(self) -> list[Device]:
        return [Device(DEVICE_ID, DEVICE_LABEL, "software", None)]

    async def keys(self) -> list[StoredKey]:
        return await asyncio.to_thread(self._keys)

    async def is_present(self, key: StoredKey) -> bool:
        return await asyncio.to_thread(self._is_present, key)

    async def sign(self, key: StoredKey, pin: str, messages: Sequence[bytes]) -> list[bytes]:
        return await asyncio.to_thread(self._sign, key, pin, messages)

    async def generate(self, device: Device, pin: str, label: str, subject: x509.Name) -> bytes:
        return await asyncio.to_thread(self._generate, pin, label, subject)

    async def write_certificate(  # The folder is one device, and certificates need no PIN.
        self,
        device: Device,
        pin: str,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate],
    ) -> None:
        await asyncio.to_thread(self._write_certificate, certificate, chain)

    async def reset_pin(self, device: Device, so_pin: str, pin: str) -> None:
        raise Refused(NO_OFFICER)

    def add(self, label: str, data: bytes) -> None:
        """Take a key file into the folder. Raises Refused when it is none, or the name is taken."""
        try:
            read_certificates(data)
        except CryptoError as error:
            raise refused(error) from error
        path = self._path(label)
        if path.exists():
            raise Refused(NAME_TAKEN)
        write_durably(path, data)

    def _keys(self) -> list[StoredKey]:
        return [
            StoredKey(_device(data), path.stem, certificates[0], tuple(certificates[1:]), bytes(path))
            for path, data, certificates in self._files()
            if certificates
        ]

    def _files(self) -> Iterator[tuple[Path, bytes, list[x509.Certificate]]]:
        """The readable key files. One that is spoilt must not hide the others."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            try:
                data = path.read_bytes()
                yield path, data, read_certificates(data)
            except (OSError, CryptoError) as error:
                _log.warning("key file %r is passed over: %s", path.name, error)

    def _is_present(self, key: StoredKey) -> bool:
        try:
            return key.certificate in read_certificates(Path(key.handle.decode()).read_bytes())
        except (OSError, CryptoError):
            return False

    def _sign(self, key: StoredKey, pin: str, messages: Sequence[bytes]) -> list[bytes]:
        try:
            opened = open_key_file(Path(key.handle.decode()).read_bytes(), pin)
            return [opened.sign(message) for message in messages]
        except OSError as error:
            raise Refused(TOKEN_REMOVED) from error
        except CryptoError as error:
            raise refused(error) from error

    def _generate(self, pin: str, label: str, subject: x509.Name) -> bytes:
        private_key = INTL.generate_key()
        try:
            self.add(label, seal_key_file(private_key, pin))
        except CryptoError as error:
            raise refused(error) from error
        csr = make_csr(private_key, subject)
        write_durably(self._path(label).with_suffix(REQUEST_SUFFIX), csr)
        return csr

    def _write_certificate(self, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> None:
        """The key is known by its request, which stays beside it: the key file itself shows no public key."""
        for path in self._folder.glob(f"*{REQUEST_SUFFIX}"):
            key_file = path.with_suffix(SUFFIX)
            if key_file.exists() and _requests(path.read_bytes(), certificate):
                write_durably(key_file, with_certificates(key_file.read_bytes(), [certificate, *chain]))
                return
        raise Refused(NO_KEY_FOR_CERTIFICATE)

    def _path(self, label: str) -> Path:
        return self._folder / (re.sub(r"[^\w-]+", "_", label) + SUFFIX)


def _device(data: bytes) -> Device:
    """The file as a device of its own. Its wrong PINs are counted by the sealed key: a file that was sealed anew, which
    takes the PIN, counts anew; one that was merely copied or renamed does not."""
    sealed = str(json.loads(data).get("key"))
    return Device(DEVICE_ID, DEVICE_LABEL, "software", f"file:{sha256(sealed.encode()).hexdigest()}")


def _requests(csr: bytes, certificate: x509.Certificate) -> bool:
    """Whether a certificate request is for the certificate's key."""
    try:
        return x509.load_der_x509_csr(csr).public_key() == certificate.public_key()
    except ValueError:
        return False
