"""Pure decisions about conversations and messages."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import TYPE_CHECKING

from oa_server.core.errors import Ability, Conflict, Denied, Invalid, Reason
from oa_server.messaging.states import ConversationKind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from oa_server.core.actor import Actor
    from oa_server.messaging.ledger import Entry
    from oa_server.messaging.models import Conversation, Membership, Message

TEXT_LIMIT = 5000
MENTIONS_LIMIT = 100
FILES_LIMIT = 20
GROUP_LIMIT = 2000
SHARED_FROM = 500  # so many members, and a message's own number is the cursor
RECALL_WITHIN = timedelta(minutes=2)
EVENTS_AT_ONCE = 500

NOT_A_MEMBER = Reason(
    "messaging.not_a_member", "您不在这个会话中，不能发言", "You are not in this conversation and cannot speak in it."
)
EMPTY = Reason("messaging.empty", "消息没有内容", "The message says nothing.")
INVISIBLE = Reason(
    "messaging.invisible_characters",
    "消息含有看不见的控制字符，请删除后重发",
    "The message holds invisible control characters; remove them and send it again.",
)
NO_SUCH_MESSAGE = Reason(
    "messaging.no_such_message", "引用的消息不在这个会话中", "The message it replies to is not in this conversation."
)
MENTION_OUTSIDE = Reason(
    "messaging.mention_outside", "提到的人不在这个会话中", "Somebody who is mentioned is not in this conversation."
)
NO_SUCH_FILE = Reason(
    "messaging.no_such_file",
    "消息附带的文件不在这个会话中，或尚未上传完成",
    "A file of the message is not in this conversation, or not there yet.",
)
CID_CONFLICT = Reason(
    "messaging.cid_conflict",
    "这个消息编号已用于另一条消息，请用新的编号发送",
    "This client id has been used for another message; send it under a new one.",
)
NOT_YOURS = Reason("messaging.not_yours", "只能撤回自己的消息", "Only your own messages can be recalled.")
TOO_LATE = Reason(
    "messaging.too_late_to_recall", "消息发出超过两分钟，不能撤回", "After two minutes a message cannot be recalled."
)
RECALLED_ALREADY = Reason("messaging.recalled_already", "消息已经撤回", "The message has been recalled already.")
NO_GROUP = Reason(
    "messaging.no_group", "只有群聊可以更名和增减成员", "Only a group can be renamed and have its members changed."
)
NOT_OWNER = Reason(
    "messaging.not_owner",
    "只有群主可以更名和增减成员",
    "Only the owner of the group may rename it or change its members.",
)
OWNER_STAYS = Reason(
    "messaging.owner_stays",
    "群主不能退出，请先把群主转给其他成员",
    "The owner cannot leave; hand the group over to another member first.",
)
FOLLOWS_DIRECTORY = Reason(
    "messaging.follows_directory",
    "部门群和机关群的成员随通讯录变动，不能自行增减",
    "Who is in the room of a unit or an organ is decided by the directory.",
)
TOO_MANY_MEMBERS = Reason(
    "messaging.too_many_members", "群聊成员超过上限", "The group would have more members than allowed."
)
NOT_IN_OFFICE = Reason("messaging.not_in_office", "选择的人不在职", "Somebody chosen is not in office.")
WITH_YOURSELF = Reason("messaging.with_yourself", "不能与自己开始会话", "You cannot talk to yourself.")
NOBODY_ELSE = Reason("messaging.nobody_else", "请至少选择一位其他成员", "Choose at least one other member.")
BUSY = Reason("messaging.busy", "消息太多，请稍后重发", "Too many messages at once; send it again in a moment.")
RESET = Reason(
    "messaging.reset",
    "本机的消息位置已失效，请重新加载会话列表",
    "The cursor cannot be gone on from; read the snapshot and go on from its cursor.",
)
UNSEEN_PART = Reason(
    "messaging.unseen_part", "已读位置超过了会话的最新消息", "Nobody can have read further than the newest message."
)

# Marks that turn the direction of text, or hide in it, so that it reads otherwise than it stands there. The joiners stay:
# some letters and pictures are made with them.
_JOINERS = frozenset("\u200c\u200d")
_SPACES = frozenset("\n\t")


def check_text(text: str) -> None:
    """A message's words say what they show. Raises Invalid."""
    if any(_is_hidden(c) for c in text):
        raise Invalid(INVISIBLE)


def _is_hidden(c: str) -> bool:
    return unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} and c not in _JOINERS | _SPACES


def check_content(text: str, files: Collection[object]) -> None:
    """A message says something, visibly. Raises Invalid."""
    if not text.strip() and not files:
        raise Invalid(EMPTY)
    check_text(text)


def check_said(membership: object | None) -> None:
    """Who speaks is there. Raises Denied."""
    if membership is None:
        raise Denied(NOT_A_MEMBER)


def check_mentions(mentions: Collection[UUID], members: Collection[UUID]) -> None:
    """Who is mentioned is there. Raises Invalid."""
    if not set(mentions) <= set(members):
        raise Invalid(MENTION_OUTSIDE)


def check_files(files: Collection[UUID], ready: Collection[UUID]) -> None:
    """A message's files are there, in this conversation. Raises Invalid."""
    if not set(files) <= set(ready):
        raise Invalid(NO_SUCH_FILE)


def check_again(kept_sha256: str, conversation_id: UUID, again: Entry) -> None:
    """The same message may be sent again, another under the same name may not. Raises Conflict."""
    if (kept_sha256, conversation_id) != (again.sha256, again.conversation_id):
        raise Conflict(CID_CONFLICT)


def check_reply(reply_to: int | None, last_seq: int) -> None:
    """What is replied to was said. Raises Invalid."""
    if reply_to is not None and reply_to > last_seq:
        raise Invalid(NO_SUCH_MESSAGE)


def check_read(conversation: Conversation, seq: int) -> None:
    """Only what was said can have been read. Raises Invalid."""
    if seq > conversation.last_seq:
        raise Invalid(UNSEEN_PART, last_seq=conversation.last_seq)


def check_members(officials: Collection[UUID], in_office: Collection[UUID], others: int = 0) -> None:
    """A group is of officials in office, and of no more than allowed. Raises Invalid."""
    if not officials:
        raise Invalid(NOBODY_ELSE)
    if not set(officials) <= set(in_office):
        raise Invalid(NOT_IN_OFFICE)
    if len(officials) + others > GROUP_LIMIT:
        raise Invalid(TOO_MANY_MEMBERS, limit=GROUP_LIMIT)


def check_partner(actor: Actor, partner: UUID, in_office: Collection[UUID]) -> None:
    """One talks to somebody else, who is in office. Raises Invalid."""
    if partner == actor.official_id:
        raise Invalid(WITH_YOURSELF)
    check_members([partner], in_office)


def abilities(conversation: Conversation, membership: Membership) -> list[Ability]:
    """What a member may do with a conversation."""
    kind = ConversationKind(conversation.kind)
    outside = FOLLOWS_DIRECTORY if kind.follows_directory else NO_GROUP if kind != ConversationKind.GROUP else None
    keeps = outside or (None if membership.is_owner else NOT_OWNER)
    leaves = outside or (OWNER_STAYS if membership.is_owner else None)
    return [
        Ability("speak"),
        Ability("rename", keeps),
        Ability("add_members", keeps),
        Ability("remove_members", keeps),
        Ability("hand_over", keeps),
        Ability("leave", leaves),
    ]


def check(conversation: Conversation, membership: Membership, verb: str) -> None:
    """Refuse what `abilities` greys. Raises Denied."""
    next(one for one in abilities(conversation, membership) if one.verb == verb).check()


def recall_ability(actor: Actor, message: Message, now: datetime) -> Ability:
    """Whether the actor may take a message back."""
    if message.recalled_at is not None:
        return Ability("recall", RECALLED_ALREADY)
    if message.sender_id != actor.official_id:
        return Ability("recall", NOT_YOURS)
    return Ability("recall", TOO_LATE if now - message.at > RECALL_WITHIN else None)


def key_of_two(one: UUID, other: UUID) -> str:
    """What the conversation of two officials is known by, whoever begins it."""
    return ":".join(sorted((str(one), str(other))))


def sees(memberships: Sequence[Membership], seq: int) -> bool:
    """Whether somebody who was there at these times may see a message."""
    return any(one.join_seq < seq and (one.leave_seq is None or seq <= one.leave_seq) for one in memberships)
