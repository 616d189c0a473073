"""PKCS #11 tokens through python-pkcs11: all calls of one driver run on one thread, the driver's own.

The library initialises drivers for single-threaded use, and with more than one thread they crash; so nothing here
touches a driver outside its thread. Tokens are looked up by serial number for every operation, because slots are
renumbered when a token is pulled or initialised; an answer that means "no longer there" has the driver initialised
anew and is asked once more. After a wrong PIN the driver is initialised anew too, for a failed login leaks its
session.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

import pkcs11
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.exceptions import (
    DeviceError,
    DeviceRemoved,
    GeneralError,
    NoSuchKey,
    NoSuchToken,
    ObjectHandleInvalid,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    SessionClosed,
    SessionHandleInvalid,
    SlotIDInvalid,
    TokenNotPresent,
    UserAlreadyLoggedIn,
)
from pkcs11.util.ec import encode_ec_public_key, encode_ecdsa_signature, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key
from pkcs11.util.x509 import decode_x509_certificate

from crypto.keys import make_csr
from crypto.suite import suite_for
from oa_agent.errors import (
    NAME_TAKEN,
    NO_BLANK_TOKEN,
    NO_KEY_FOR_CERTIFICATE,
    NO_TOKEN,
    PIN_LENGTH,
    PIN_LOCKED,
    TOKEN_FAILED,
    TOKEN_REMOVED,
    TOKEN_SILENT,
    Refused,
    WrongPin,
)
from oa_agent.sources import Device, StoredKey, chain_of

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

# What drivers answer when a token was pulled, or put back, since they last looked (measured with SoftHSM).
_GONE = (
    DeviceError,
    DeviceRemoved,
    GeneralError,
    NoSuchKey,
    NoSuchToken,
    ObjectHandleInvalid,
    SessionClosed,
    SessionHandleInvalid,
    SlotIDInvalid,
    TokenNotPresent,
    UserAlreadyLoggedIn,
)
_LABEL_BYTES = 32


@cache
def thread_of(path: str) -> ThreadPoolExecutor:
    """The one thread on which the driver at `path` may be called, in the whole process."""
    return ThreadPoolExecutor(1, thread_name_prefix=f"pkcs11 {path}")


class TokenDriver:
    """The tokens behind one driver (`sources.KeySource`)."""

    def __init__(self, path: str, *, counts_wrong_pins: bool = False, seconds: float = 30) -> None:
        self._path = path
        self._counts_wrong_pins = counts_wrong_pins
        self._seconds = seconds

    async def devices(self) -> list[Device]:
        return await self._call(lambda: [self._device(token) for token in self._tokens_now()])

    async def keys(self) -> list[StoredKey]:
        return await self._call(lambda: [key for token in self._tokens_now() for key in self._keys_of(token)])

    async def is_present(self, key: StoredKey) -> bool:
        try:
            return await self._call(lambda: self._holds(key))
        except Refused as refusal:
            if refusal.reason in {NO_TOKEN, TOKEN_REMOVED}:
                return False
            raise

    async def sign(self, key: StoredKey, pin: str, messages: Sequence[bytes]) -> list[bytes]:
        return await self._call(lambda: self._sign(key, pin, messages))

    async def generate(self, device: Device, pin: str, label: str, subject: x509.Name) -> bytes:
        return await self._call(lambda: self._generate(device.id, pin, label, subject))

    async def write_certificate(
        self, device: Device, pin: str, certificate: x509.Certificate, chain: Sequence[x509.Certificate]
    ) -> None:
        await self._call(lambda: self._write_certificate(device.id, pin, certificate, chain))

    async def init_token(self, label: str, so_pin: str, pin: str) -> Device:
        """Initialise the first blank token; the security officer's PIN and the user's are set. Raises Refused."""
        return await self._call(lambda: self._init_token(label, so_pin, pin))

    async def reset_pin(self, device: Device, so_pin: str, pin: str) -> None:
        """Give the token a new user PIN, which the security officer may. Raises Refused, WrongPin."""
        await self._call(lambda: self._reset_pin(device.id, so_pin, pin))

    # --- on the driver's thread ---------------------------------------------------------------------------------------

    async def _call(self, work: Callable[[], _T]) -> _T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._seconds):
                return await loop.run_in_executor(thread_of(self._path), self._attempt, work)
        except TimeoutError as error:
            raise Refused(TOKEN_SILENT) from error

    def _attempt(self, work: Callable[[], _T]) -> _T:
        """Do the work; when the token seems gone, look again and do it once more. Errors become refusals."""
        try:
            try:
                return work()
            except _GONE:
                self._driver.reinitialize()
                return work()
        except PKCS11Error as error:
            raise self._refusal(error) from error

    def _refusal(self, error: PKCS11Error) -> Refused:
        match error:
            case PinIncorrect():
                self._driver.reinitialize()
                return WrongPin()
            case PinLocked():
                self._driver.reinitialize()
                return Refused(PIN_LOCKED)
            case PinLenRange() | PinInvalid():
                self._driver.reinitialize()
                return Refused(PIN_LENGTH)
            case NoSuchToken():
                return Refused(NO_TOKEN)
        _log.warning("the driver %s answered %s", self._path, type(error).__name__)
        return Refused(TOKEN_REMOVED if isinstance(error, _GONE) else TOKEN_FAILED)

    @property
    def _driver(self) -> Any:
        return pkcs11.lib(self._path)

    def _tokens_now(self) -> list[Any]:
        """The tokens with those that were put in since: some drivers look for them only when they are initialised.

        A driver that is not installed has none.
        """
        try:
            self._driver.reinitialize()
        except PKCS11Error as error:
            _log.warning("the driver %s cannot be loaded: %s", self._path, error)
            return []
        return self._tokens()

    def _tokens(self) -> list[Any]:
        slots = self._driver.get_slots(token_present=True)
        tokens = [slot.get_token() for slot in slots]
        return [token for token in tokens if TokenFlag.TOKEN_INITIALIZED in token.flags]

    def _device(self, token: Any) -> Device:
        serial = _serial(token)
        return Device(serial, token.label, "token", None if self._counts_wrong_pins else f"token:{serial}")

    def _find(self, serial: str) -> Any:
        token = next((token for token in self._tokens() if _serial(token) == serial), None)
        if token is None:
            raise NoSuchToken
        return token

    @contextmanager
    def _session(self, serial: str, **login: Any) -> Iterator[Any]:
        """A session of one token, logged in for as long as the block lasts and not a moment longer."""
        session = self._find(serial).open(**login)
        try:
            yield session
        finally:
            # A pulled token has ended its session itself, and what the block said about that matters more.
            with suppress(*_GONE):
                session.close()

    def _keys_of(self, token: Any) -> list[StoredKey]:
        with self._session(_serial(token)) as session:
            found = [
                (certificate, bytes(stored[Attribute.ID]), str(stored[Attribute.LABEL]))
                for stored, certificate in _certificates(session)
            ]
        others = [certificate for certificate, _handle, _label in found]
        device = self._device(token)
        return [
            StoredKey(device, label, certificate, chain_of(certificate, others), handle)
            for certificate, handle, label in found
        ]

    def _holds(self, key: StoredKey) -> bool:
        with self._session(key.device.id) as session:
            return any(certificate == key.certificate for _stored, certificate in _certificates(session))

    def _sign(self, key: StoredKey, pin: str, messages: Sequence[bytes]) -> list[bytes]:
        with self._session(key.device.id, user_pin=pin) as session:
            private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=key.handle)
            return [_sign(private, key.certificate.public_key(), message) for message in messages]

    def _generate(self, serial: str, pin: str, label: str, subject: x509.Name) -> bytes:
        """A P-256 key pair that never leaves the token, and a request signed with it."""
        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        with self._session(serial, rw=True, user_pin=pin) as session:
            parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
            public, private = parameters.generate_keypair(
                id=secrets.token_bytes(16),
                label=label,
                store=True,
                capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
            return make_csr(TokenEcKey(private, _public_key(public)), subject)

    def _write_certificate(
        self, serial: str, pin: str, certificate: x509.Certificate, chain: Sequence[x509.Certificate]
    ) -> None:
        with self._session(serial, rw=True, user_pin=pin) as session:
            public = _matching(session, certificate)
            if public is None:
                raise Refused(NO_KEY_FOR_CERTIFICATE)
            handle = public[Attribute.ID]
            present = []
            for stored, other in _certificates(session):
                if stored[Attribute.ID] == handle:
                    stored.destroy()
                else:
                    present.append(other)
            _store(session, certificate, {Attribute.ID: handle, Attribute.LABEL: public[Attribute.LABEL]})
            for other in chain:
                if other not in present:
                    _store(session, other, {})

    def _init_token(self, label: str, so_pin: str, pin: str) -> Device:
        if any(token.label == label for token in self._tokens_now()):
            raise Refused(NAME_TAKEN)
        slots = self._driver.get_slots(token_present=True)
        blank = next((s for s in slots if TokenFlag.TOKEN_INITIALIZED not in s.get_token().flags), None)
        if blank is None:
            raise Refused(NO_BLANK_TOKEN)
        self._call_init_token(blank.slot_id, label, so_pin)
        self._driver.reinitialize()
        token = next((token for token in self._tokens() if token.label == label), None)
        if token is None:
            raise Refused(TOKEN_FAILED)
        self._reset_pin(_serial(token), so_pin, pin)
        return self._device(token)

    def _call_init_token(self, slot: int, label: str, so_pin: str) -> None:
        """C_InitToken (PKCS #11 v2.40, 5.5), which python-pkcs11 does not offer; the loaded driver is the same."""
        name, secret = label.encode(), so_pin.encode()
        if len(name) > _LABEL_BYTES:
            raise Refused(NAME_TAKEN)
        answer = ctypes.CDLL(self._path).C_InitToken(
            ctypes.c_ulong(slot), secret, ctypes.c_ulong(len(secret)), name.ljust(_LABEL_BYTES)
        )
        if answer:
            _log.warning("C_InitToken answered 0x%x", answer)
            raise Refused(TOKEN_FAILED)

    def _reset_pin(self, serial: str, so_pin: str, pin: str) -> None:
        with self._session(serial, rw=True, so_pin=so_pin) as session:
            session.init_pin(pin)


class TokenEcKey(ec.EllipticCurvePrivateKey):
    """A private key in a token, in the shape that certificate builders take. It lives as long as its session."""

    def __init__(self, private: Any, public_key: ec.EllipticCurvePublicKey) -> None:
        self._private = private
        self._public_key = public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        return self.curve.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        algorithm = signature_algorithm.algorithm
        assert isinstance(algorithm, hashes.HashAlgorithm)
        return _sign_ec(self._private, algorithm, bytes(data))

    def exchange(self, *_agreement: Any) -> bytes:
        raise Refused(TOKEN_FAILED)

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        raise Refused(TOKEN_FAILED)

    def private_bytes(self, *_form: Any) -> bytes:
        raise Refused(TOKEN_FAILED)

    def __copy__(self) -> TokenEcKey:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenEcKey:
        return self


def _sign(private: Any, public_key: Any, message: bytes) -> bytes:
    """A signature as `crypto.suite` makes it: ECDSA in DER, or RSA PKCS #1 v1.5."""
    algorithm = suite_for(public_key).hash_for(public_key)
    if isinstance(public_key, rsa.RSAPublicKey):
        return bytes(private.sign(message, mechanism=Mechanism.SHA256_RSA_PKCS))
    return _sign_ec(private, algorithm, message)


def _sign_ec(private: Any, algorithm: hashes.HashAlgorithm, message: bytes) -> bytes:
    """Hashed here, because not every token has the mechanisms that hash (SoftHSM has none)."""
    digest = hashes.Hash(algorithm)
    digest.update(message)
    return bytes(encode_ecdsa_signature(private.sign(digest.finalize(), mechanism=Mechanism.ECDSA)))


def _certificates(session: Any) -> Iterator[tuple[Any, x509.Certificate]]:
    """The X.509 certificates of a token that can be read, with their objects."""
    for stored in list(session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})):
        try:
            yield stored, x509.load_der_x509_certificate(bytes(stored[Attribute.VALUE]))
        except ValueError:
            _log.warning("a certificate in the token %r cannot be read", session.token.label)


def _matching(session: Any, certificate: x509.Certificate) -> Any:
    """The public key object that belongs to the certificate, or None."""
    wanted = certificate.public_key()
    publics: Iterable[Any] = list(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY}))
    return next((public for public in publics if _public_key(public) == wanted), None)


def _public_key(public: Any) -> Any:
    """The public key in an object; None for a kind or curve that certificates of ours never have."""
    encode = {KeyType.EC: encode_ec_public_key, KeyType.RSA: encode_rsa_public_key}.get(public.key_type)
    try:
        return load_der_public_key(encode(public)) if encode else None
    except (ValueError, UnsupportedAlgorithm):
        return None


def _store(session: Any, certificate: x509.Certificate, named: dict[Attribute, Any]) -> None:
    template = decode_x509_certificate(certificate.public_bytes(Encoding.DER))
    session.create_object({**template, Attribute.TOKEN: True, Attribute.PRIVATE: False, **named})


def _serial(token: Any) -> str:
    return bytes(token.serial).decode("ascii", "replace").strip()
