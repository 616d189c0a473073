"""Requests, answers, and how patiently we ask: no connection and no waiting here, both are the drivers'.

`Steps[T]` is a conversation: it yields requests, is sent their answers, and returns a T. A driver that gets no answer throws
`ConnectionLost` into it at that place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import uniform
from typing import Generic, TypeVar
from uuid import UUID, uuid4

import msgspec

from oa_sdk.errors import Conflict, ConnectionLost, Refused, TooMany, Unavailable, Unreadable, refusal
from oa_sdk.files import Sink, Source

T = TypeVar("T")

API = "/api/v1"
OK_BELOW = 300
KEY_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Its repr holds no secret: headers and body are left out."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    source: Source | None = None  # where the body is read from instead
    sink: Sink | None = None  # where the body of a good answer goes instead
    after: float = 0  # seconds to wait before it is sent

    @property
    def repeatable(self) -> bool:
        """Whether it may simply be sent again when no answer came. Who streams asks first how far it came."""
        return self.source is None and self.sink is None

    def plus(self, **headers: str) -> Request:
        """The same with more headers; an underscore stands for a hyphen."""
        return replace(self, headers={**self.headers, **{n.replace("_", "-"): v for n, v in headers.items()}})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; names of headers are in lower case. `body` is empty where it went into a sink."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


Steps = Generator[Request, Answer, T]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list, and where the next part begins; None after the last."""

    items: Sequence[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that is read page by page."""

    start: str
    page: Callable[[str], Steps[Page[T]]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried, and how many seconds lie between: twice as many each time, up to `longest`. A server that
    wants us to wait longer than that is not waited for."""

    tries: int = 6
    first: float = 0.5
    longest: float = 60.0

    def pause(self, tried: int) -> float:
        """Seconds before the next try, when so many have failed; a little at random, so that many do not come at once."""
        return min(self.longest, self.first * 2.0 ** (tried - 1)) * uniform(0.8, 1.0)  # noqa: S311  no secret


def asking(make: Callable[[], Request], patience: Patience) -> Steps[Answer]:
    """The good answer to a request, which is made anew for each try.

    Tries again when nothing came back, when the server is crowded or down, and when it still works on the same request.
    Raises ConnectionLost, Refused.
    """
    after = 0.0
    for tried in range(1, patience.tries + 1):
        request = make()
        request = replace(request, after=after or request.after)
        try:
            answer = yield request
        except ConnectionLost:
            if tried == patience.tries or not request.repeatable:
                raise
            after = patience.pause(tried)
            continue
        if answer.status < OK_BELOW:
            return answer
        refused = refusal(answer.status, answer.body)
        after = _asked_to_wait(answer) or patience.pause(tried)
        if tried == patience.tries or after > patience.longest or not _passes(refused):
            raise refused
    raise AssertionError("the last try returns or raises")


def read_as(answer: Answer, kind: type[T]) -> T:
    """What an answer holds. Raises Unreadable for what is none of the server's, as a page of something in between."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.DecodeError as error:
        raise Unreadable(f"答复不是约定的内容：{error}") from error


def _passes(refused: Refused) -> bool:
    """Whether it is worth asking the same again."""
    if isinstance(refused, Conflict):
        return refused.code == "storage.in_progress"
    return isinstance(refused, TooMany) or (isinstance(refused, Unavailable) and refused.status in {502, 503, 504})


def _asked_to_wait(answer: Answer) -> float:
    """The seconds of `Retry-After`; 0 where none are given."""
    given = answer.headers.get("retry-after", "")
    return float(given) if given.isascii() and given.isdigit() else 0.0


def key_or_new(key: str | None) -> str:
    """An Idempotency-Key: the caller's, or one that nobody had. Raises ValueError for one that cannot be sent."""
    if key is None:
        return uuid4().hex
    if not key or len(key) > KEY_LIMIT or not key.isascii() or not key.isprintable():
        raise ValueError("an Idempotency-Key has 1 to 128 printable ASCII characters")
    return key


def path_to(tree: str, subject: UUID | str, *more: str) -> str:
    """The address of one thing. Raises ValueError for an id that is none."""
    return "/".join([API, tree, str(subject if isinstance(subject, UUID) else UUID(subject)), *more])
