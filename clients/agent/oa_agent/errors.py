"""Why the agent refuses, in words a person can act on.

    Refused        carries a `Reason`: one stable dotted code with its Chinese and English sentence
    └── WrongPin   the PIN was wrong and may be asked for again

Every answer that is not `ok` shows the code and the Chinese sentence of a reason declared here.
"""

from __future__ import annotations

from dataclasses import dataclass

from crypto.errors import CryptoError


@dataclass(frozen=True, slots=True)
class Reason:
    """A named refusal."""

    code: str
    zh: str
    en: str


class Refused(Exception):
    """Something is not done, on purpose."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"{reason.code}: {reason.en}")
        self.reason = reason


class WrongPin(Refused):
    """The PIN was wrong; whoever asked for it may ask again."""

    def __init__(self) -> None:
        super().__init__(WRONG_PIN)


MALFORMED = Reason("message.malformed", "消息无法识别", "The message is not one of the protocol.")
BUSY = Reason("agent.busy", "密钥代理正在处理另一项操作，请先完成或取消它", "Another operation is under way.")
INTERNAL = Reason("agent.internal", "密钥代理内部错误，详见代理日志", "The agent failed; its log says why.")
CANCELLED = Reason("agent.cancelled", "操作已取消", "The operation was cancelled.")

OTHER_HOST = Reason("origin.other_host", "请求的主机名不是本机密钥代理", "The host name is not the agent's.")
OTHER_ORIGIN = Reason("origin.not_allowed", "此网站未获准使用密钥代理", "This origin may not use the agent.")
OTHER_USER = Reason(
    "origin.other_user", "请求来自本机的其他用户", "The request comes from another user of this machine."
)

NO_CERTIFICATE = Reason(
    "certificate.not_found",
    "没有找到这张证书，请检查证书介质是否插好",
    "There is no such certificate; is the token in?",
)
WRONG_USAGE = Reason("certificate.wrong_usage", "这张证书不能用于此操作", "The certificate is not for this use.")
BAD_CERTIFICATE = Reason("certificate.unreadable", "证书无法读取", "The certificate cannot be read.")
NO_KEY_FOR_CERTIFICATE = Reason(
    "certificate.no_key", "证书介质中没有与此证书对应的密钥", "The token has no key of this certificate."
)

BAD_NONCE = Reason("nonce.malformed", "登录挑战格式不对", "A nonce is 32 bytes in base64url.")

WRONG_PIN = Reason("pin.wrong", "PIN 不正确", "The PIN is wrong.")
PIN_LOCKED = Reason("pin.locked", "PIN 已连续输错多次，证书介质已锁定，请联系管理员", "The PIN is locked.")
PIN_CANCELLED = Reason("pin.cancelled", "已取消输入 PIN", "The PIN entry was cancelled.")
PIN_TIMEOUT = Reason("pin.timeout", "没有在规定时间内输入 PIN", "No PIN was entered in time.")
PIN_LENGTH = Reason("pin.length", "PIN 的长度不符合要求", "The PIN is too short or too long.")
NO_PIN_ENTRY = Reason("pin.no_entry", "无法显示 PIN 输入窗口", "The PIN window cannot be shown.")
COUNTS_UNREADABLE = Reason(
    "pin.counts_unreadable", "PIN 输错次数记录已损坏，请联系管理员", "The count of wrong PINs cannot be read."
)

TOKEN_REMOVED = Reason("token.removed", "证书介质已拔出", "The token was removed.")
TOKEN_SILENT = Reason("token.silent", "证书介质没有响应", "The token does not answer.")
TOKEN_FAILED = Reason("token.failed", "证书介质操作失败", "The token refused the operation.")
NO_TOKEN = Reason("token.not_found", "没有找到这个证书介质", "There is no such token.")
NO_BLANK_TOKEN = Reason("token.none_blank", "没有找到未初始化的证书介质", "There is no token to initialise.")
NAME_TAKEN = Reason("token.name_taken", "已有同名的密钥或证书介质", "A key or token of this name is already there.")
NO_OFFICER = Reason(
    "token.no_officer",
    "软件密钥没有管理员 PIN，不能解锁，请补办",
    "A software key has no security officer; have it replaced.",
)
SIGNATURE_MISMATCH = Reason(
    "token.mismatch", "密钥与证书不配套，签名已作废", "The key is not the certificate's; the signature was thrown away."
)

BAD_REQUEST = Reason("request.malformed", "签名请求格式不对", "The signature request is malformed.")
UNKNOWN_SERVER = Reason("request.unknown_key", "签名请求不是由已知服务器签发的", "The request's key is not known.")
CHANGED_SERVER = Reason(
    "request.key_changed", "服务器签发签名请求的密钥已更换，请联系管理员核实", "The server's request key has changed."
)
FORGED_REQUEST = Reason("request.forged", "签名请求的服务器签名不成立", "The request's signature is wrong.")
EXPIRED_REQUEST = Reason("request.expired", "签名请求已过期，请重新发起", "The request has expired.")
OTHER_AUDIENCE = Reason("request.other_audience", "签名请求不是给密钥代理的", "The request is not for the agent.")
REQUEST_ORIGIN = Reason("request.other_origin", "签名请求来自其他网站", "The request is for another origin.")

OTHER_CONTENT = Reason(
    "attributes.other_content", "待签数据与所显示的内容不符", "What is to be signed is not what is shown."
)
OTHER_CERTIFICATE = Reason("attributes.other_certificate", "待签数据指定了另一张证书", "Another certificate is named.")
NOT_ATTRIBUTES = Reason(
    "attributes.refused", "待签数据不是公文签名的属性", "These are no attributes of a document signature."
)
NOT_CANONICAL = Reason("content.not_canonical", "待签内容不是规范的 JSON", "The content is not canonical JSON.")

_OF_CRYPTO = {
    "key.wrong_pin": WRONG_PIN,
    "key.pin_short": PIN_LENGTH,
    "key.other_certificate": SIGNATURE_MISMATCH,
    "attributes.other_content": OTHER_CONTENT,
    "attributes.other_certificate": OTHER_CERTIFICATE,
    "attributes.unreadable": NOT_ATTRIBUTES,
    "attributes.not_der": NOT_ATTRIBUTES,
    "attributes.foreign": NOT_ATTRIBUTES,
}


def refused(error: CryptoError) -> Refused:
    """The refusal that an error of `crypto` means here."""
    reason = _OF_CRYPTO.get(error.code, NOT_CANONICAL if error.code.startswith("canonical.") else TOKEN_FAILED)
    return WrongPin() if reason is WRONG_PIN else Refused(reason)
