"""The messages, as JSON over the socket and as JSON on the command line.

A command is `{"id": …, "command": …, …}`. Its answer is `{"id", "ok": true, "result"}` or `{"id", "ok": false, "error":
{"code", "title"}}`. Pushes are `{"event": …}`. Bytes are base64, except the nonce, which is base64url as the server
writes it; moments are RFC 3339 in UTC. Unknown members are refused: a page must not believe it said something.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from crypto.profiles import Profile
from oa_agent.errors import MALFORMED, Reason, Refused

SUBPROTOCOL = "oa-agent.1"
MESSAGE_LIMIT = 4 << 20  # a request at its limit, or a batch of shorter ones
BATCH_LIMIT = 50

CommandId = Annotated[str, Meta(max_length=64)] | int | None
Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Command(Struct, frozen=True, kw_only=True, tag_field="command", forbid_unknown_fields=True):
    """What every command carries."""

    id: CommandId = None


class Hello(Command, frozen=True, tag="hello"):
    """Who are you?"""


class Tokens(Command, frozen=True, tag="tokens"):
    """Which tokens are there?"""


class Certificates(Command, frozen=True, tag="certificates"):
    """Which certificates are there? `usage`: sign-in, signing or seal."""

    usage: Profile


class Authenticate(Command, frozen=True, tag="authenticate"):
    """Answer the sign-in challenge `nonce` with a sign-in certificate."""

    certificate_id: str
    nonce: str


class Sign(Command, frozen=True, tag="sign"):
    """Sign what the server requests: one `request`, or a batch of `requests` under one PIN.

    `request_key` (base64 SubjectPublicKeyInfo) is the server's request-signing key, for the first use with an origin
    for which none is configured; the person confirms it with the PIN.
    """

    certificate_id: str
    request: str | None = None
    requests: Annotated[tuple[str, ...], Meta(min_length=1, max_length=BATCH_LIMIT)] | None = None
    request_key: str | None = None


class Watch(Command, frozen=True, tag="watch"):
    """Push `key-removed` when this certificate's token is pulled."""

    certificate_id: str


class Cancel(Command, frozen=True, tag="cancel"):
    """Give up the command with the id `target` of this connection."""

    target: CommandId


class Subject(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a certificate request names."""

    common: Name
    organ: Name | None = None
    unit: Name | None = None
    number: Name | None = None


class Generate(Command, frozen=True, tag="generate"):
    """Generate a key in a token and make a certificate request with it."""

    token: str
    usage: Profile
    label: Label
    subject: Subject


class WriteCertificate(Command, frozen=True, tag="write-certificate"):
    """Write an issued certificate (base64 DER) with its chain beside its key."""

    token: str
    certificate: str
    chain: tuple[str, ...] = ()


class Unlock(Command, frozen=True, tag="unlock"):
    """Give a token a new user PIN. The agent asks for the security officer's PIN first, then for the new one twice."""

    token: str


# What the agent does for anybody; watching and cancelling are about one connection.
AgentCommand = Hello | Tokens | Certificates | Authenticate | Sign | Generate | WriteCertificate | Unlock
AnyCommand = AgentCommand | Watch | Cancel


class About(Struct, frozen=True):
    """`pin_entry` tells the page whether to open a popup for the PIN (page) or not (window, console)."""

    agent: str
    version: str
    protocol: str
    pin_entry: str


class TokenEntry(Struct, frozen=True):
    """`id` is what generate and write-certificate take as `token`; `kind` is token or software."""

    id: str
    label: str
    kind: str


class CertificateEntry(Struct, frozen=True):
    """A certificate that can be used. `id` is the SHA-256 of its DER in hex."""

    id: str
    token: str
    label: str
    usage: str
    subject: str
    issuer: str
    serial: str
    not_after: str
    certificate: str
    chain: tuple[str, ...]


class Authenticated(Struct, frozen=True):
    signature: str
    certificate: str
    chain: tuple[str, ...]


class Signed(Struct, frozen=True):
    signature: str


class SignedBatch(Struct, frozen=True):
    """In the order of the requests."""

    signatures: tuple[str, ...]


class Watching(Struct, frozen=True):
    certificate_id: str


class Cancelled(Struct, frozen=True):
    """Whether the command was still under way."""

    cancelled: bool


class Generated(Struct, frozen=True):
    """The certificate request, PKCS #10 in PEM."""

    csr: str


class Written(Struct, frozen=True):
    certificate_id: str


class Unlocked(Struct, frozen=True):
    """`token` takes the new PIN, and its wrong ones are counted anew."""

    token: str


Result = (
    About
    | tuple[TokenEntry, ...]
    | tuple[CertificateEntry, ...]
    | Authenticated
    | Signed
    | SignedBatch
    | Watching
    | Cancelled
    | Generated
    | Written
    | Unlocked
)


class ErrorOut(Struct, frozen=True):
    code: str
    title: str


class Success(Struct, frozen=True):
    id: CommandId
    result: Result | None
    ok: bool = True


class Failure(Struct, frozen=True):
    id: CommandId
    error: ErrorOut
    ok: bool = False


class PinNeeded(Struct, frozen=True, tag_field="event", tag="pin-needed"):
    """The page opens `url` as a popup. The url is good once."""

    url: str


class KeyRemoved(Struct, frozen=True, tag_field="event", tag="key-removed"):
    certificate_id: str


Event = PinNeeded | KeyRemoved

_decoder = msgspec.json.Decoder(AnyCommand)


def read_command(data: str | bytes) -> AnyCommand:
    """The command in a message. Raises Refused."""
    try:
        command: AnyCommand = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Refused(MALFORMED) from error
    return command


def write(message: Success | Failure | Event) -> str:
    """A message as JSON."""
    return msgspec.json.encode(message).decode()


def failure(command_id: CommandId, reason: Reason) -> Failure:
    """The answer that says why not."""
    return Failure(command_id, ErrorOut(reason.code, reason.zh))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str, otherwise: Reason = MALFORMED) -> bytes:
    """Strict base64. Raises Refused with `otherwise`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(otherwise) from error


def unb64url(text: str, otherwise: Reason = MALFORMED) -> bytes:
    """Base64url without padding, in its one spelling. Raises Refused with `otherwise`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(otherwise) from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise Refused(otherwise)
    return data
