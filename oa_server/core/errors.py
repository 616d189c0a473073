"""Refusals: why something is not done, in words a person can act on.

    OaError
    ├── Invalid          422  what was sent cannot be understood
    │   └── Malformed    400  … not even read
    ├── NotSignedIn      401  nobody is signed in, or the session has ended
    ├── Denied           403  you may know of it, but you may not do this
    ├── NotFound         404  there is none, or you may not know that there is one
    ├── Conflict         409  somebody was quicker, or the state does not allow it
    ├── Gone             410  it was there and its time is over
    ├── PreconditionFailed 412  what you read has changed since
    ├── TooLarge         413  more than this place takes
    ├── WrongType        415  in a form that this place does not take
    ├── PreconditionRequired 428  you do not say what you read before
    ├── TooMany          429  more requests than you may make; `retry_after` says when to go on
    └── Unavailable      503  a part we depend on is down; nothing was changed

A `Reason` is a named constant: one stable code with its Chinese and English title. The same reason greys a button
(through `Ability`) and refuses the act (through an error), so the answer to "why can't I?" is always the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

_registry: dict[str, Reason] = {}


@dataclass(frozen=True, slots=True)
class Reason:
    """A named refusal: `code` is stable and dotted (`domain.what`), `zh` and `en` are sentences that say what to do."""

    code: str
    zh: str
    en: str

    def __post_init__(self) -> None:
        if _registry.setdefault(self.code, self) != self:
            raise ValueError(f"reason {self.code} is declared twice with different words")

    def title(self, language: str = "zh") -> str:
        """The sentence in `language` (`zh` or `en`)."""
        return self.en if language == "en" else self.zh


def all_reasons() -> Mapping[str, Reason]:
    """Every reason declared so far, by code; the API description lists them."""
    return _registry


class OaError(Exception):
    """Base of everything we refuse on purpose. `facts` are shown to the caller, so they never hold secrets."""

    status: ClassVar[int] = 500

    def __init__(self, reason: Reason, detail: str | None = None, /, **facts: Any) -> None:
        super().__init__(f"{reason.code}: {detail or reason.en}")
        self.reason = reason
        self.detail = detail
        self.facts = facts

    @property
    def code(self) -> str:
        return self.reason.code


class Invalid(OaError):
    status = 422


class Malformed(Invalid):
    status = 400


class NotSignedIn(OaError):
    status = 401


class Denied(OaError):
    status = 403


class NotFound(OaError):
    status = 404


class Conflict(OaError):
    status = 409


class Gone(OaError):
    status = 410


class PreconditionFailed(OaError):
    status = 412


class TooLarge(OaError):
    status = 413


class WrongType(OaError):
    status = 415


class PreconditionRequired(OaError):
    status = 428


class TooMany(OaError):
    status = 429


class Unavailable(OaError):
    status = 503


NOT_FOUND = Reason("core.not_found", "没有找到，或者您无权查看", "Not found, or you may not see it.")
STALE = Reason(
    "core.stale", "内容已被他人更改，请刷新后重试", "It has changed since you read it; reload and try again."
)
INTERNAL = Reason(
    "core.internal", "系统内部错误，操作未生效，请稍后重试", "Internal error; nothing was changed. Try again later."
)


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether one verb is open to one actor on one row, and if not, why."""

    verb: str
    denied: Reason | None = None

    @property
    def allowed(self) -> bool:
        return self.denied is None

    def check(self) -> None:
        """Raise `Denied` with the reason unless allowed."""
        if self.denied is not None:
            raise Denied(self.denied)
