"""Why something was not done, and what to do next.

    OaError
    ├── KeyRefused          the private key cannot be read, or is of a kind that does not sign in
    ├── ConnectionLost      no answer came, however often we asked
    ├── Unreadable          an answer came that is not the server's
    ├── Damaged             bytes that arrived are not those that were sent
    ├── WebhookRefused      a webhook that is not the server's, or too old
    └── Refused             the server answered, and refused
        ├── Invalid         400, 413, 415, 422  what was sent does not fit
        ├── NotSignedIn     401  the system is not known, or not let in
        ├── Denied          403  it may not do this
        ├── NotFound        404  there is none, or it may not know that there is one
        ├── Conflict        409  the state does not allow it, or a key was used for something else
        ├── Gone            410  it was there and its time is over
        ├── Stale           412, 428  what you read has changed since
        ├── TooMany         429  more requests than are allowed, still after waiting
        └── Unavailable     5xx  the server cannot work now, still after waiting

`advice` says what to do next, in Chinese; `str()` of an error holds all of it and no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec


class OaError(Exception):
    """Base of everything that this package raises on purpose."""

    advice: ClassVar[str] = ""

    def __str__(self) -> str:
        said = super().__str__()
        return f"{said}（{self.advice}）" if self.advice else said


class KeyRefused(OaError):
    advice = "请使用登记证书所对应的私钥：P-256、P-384 或 RSA，PEM 格式"


class ConnectionLost(OaError):
    advice = "请检查网络和服务器地址；写操作可以用同一个 key 再做一次"


class Unreadable(OaError):
    advice = "请核对服务器地址，以及中间的代理或网关；写操作可以用同一个 key 再做一次"


class Damaged(OaError):
    advice = "内容与服务器登记的摘要不符，请重新传输"


class WebhookRefused(OaError):
    advice = "不要处理该推送；请核对推送公钥和本机时间"


class Refused(OaError):
    """The server's refusal (RFC 9457): `code` is stable, `title` a sentence for people, `facts` what it is about."""

    advice = "请根据 code 处理"

    def __init__(
        self, status: int, code: str, title: str, detail: str | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.facts: Mapping[str, Any] = dict(facts or {})
        super().__init__(f"{title} [{code}, HTTP {status}]" + (f" {detail}" if detail else ""))


class Invalid(Refused):
    advice = "请按 detail 和 facts 更正所送内容；原样重试没有意义"


class NotSignedIn(Refused):
    advice = "请核对系统代码、私钥、服务器地址和本机时间，并向管理员确认该系统已获准接入"


class Denied(Refused):
    advice = "请向管理员确认该系统的权限范围；此项操作也可能只能由人完成"


class NotFound(Refused):
    advice = "请核对标识；不属于本部门的公文也按不存在答复"


class Conflict(Refused):
    advice = "请重新读取公文，按当前状态决定下一步；新的操作要用新的 key"


class Gone(Refused):
    advice = "请重新开始这项操作"


class Stale(Refused):
    advice = "公文在读取之后有改动，请重新读取，再用新的 etag 操作"


class TooMany(Refused):
    advice = "请降低请求频率，或请管理员提高该系统的限额"


class Unavailable(Refused):
    advice = "服务器暂时不能工作，请稍后用同一个 key 再做一次"


_BY_STATUS: Mapping[int, type[Refused]] = {
    400: Invalid,
    401: NotSignedIn,
    403: Denied,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Stale,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    428: Stale,
    429: TooMany,
}
_SERVER_ERROR = 500


class _Problem(msgspec.Struct):
    code: str
    title: str
    detail: str | None = None
    facts: dict[str, Any] = {}


def refusal(status: int, body: bytes) -> Refused:
    """The error that an answer stands for, also where a proxy answered in its own words."""
    kind = _BY_STATUS.get(status, Unavailable if status >= _SERVER_ERROR else Refused)
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        return kind(status, f"http.{status}", "服务器或代理没有按约定答复")
    return kind(status, problem.code, problem.title, problem.detail, problem.facts)
