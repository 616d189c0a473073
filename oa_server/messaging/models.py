"""Conversations, their members, their messages, and each official's cursor."""

from __future__ import annotations

from oa_server.messaging.states import ConversationKind, EventKind, MessageKind
from oa_server.storage import fields


class Conversation(fields.Model):
    """会话. `key` names what there is one conversation of: two officials, a unit, an organ; groups have none.

    `last_seq` and `last_chain` are the place and the digest of its newest message; up to `anchored_seq` the audit log knows
    the chain. `members_version` grows with every change of who belongs, so that a process may remember its members. A
    conversation that `is_shared` has so many that its events lie on no official's cursor: the numbers of its messages are one.
    """

    id = fields.Key()
    kind = fields.State(ConversationKind)
    key = fields.Text(80, unique=True, null=True)
    title = fields.SealedText(60)
    organ = fields.ForeignKey("oa.Organ", null=True)
    unit = fields.ForeignKey("oa.Unit", null=True)
    is_shared = fields.Flag(default=False)
    last_seq = fields.BigNumber(default=0)
    last_chain = fields.Digest()
    last_at = fields.Moment()
    members_version = fields.Number(default=1)
    anchored_seq = fields.BigNumber(default=0)
    created_by = fields.ForeignKey("oa.Official", null=True)
    created_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "conversation"


class Membership(fields.Model):
    """成员: an official in a conversation, who sees what was said after `join_seq`, and no more once `leave_seq` is set.

    Who comes back gets a row of their own: between the two they were not there.
    """

    id = fields.Key()
    conversation = fields.ForeignKey("oa.Conversation")
    official = fields.ForeignKey("oa.Official")
    join_seq = fields.BigNumber()
    leave_seq = fields.BigNumber(null=True)
    read_seq = fields.BigNumber()
    is_owner = fields.Flag(default=False)
    is_muted = fields.Flag(default=False)
    is_pinned = fields.Flag(default=False)
    joined_at = fields.Moment()

    class Meta:
        app = "oa"
        table = "membership"
        unique_together = (("conversation", "official", "joined_at"),)
        indexes = (fields.Index(fields=("official_id", "leave_seq")),)


class Message(fields.Model):
    """消息. `seq` is its place in the conversation, from 1 on; `cid` the name its sender's client gave it, for good.

    `chain` is the digest over the message and the `chain` of the one before it. A recall leaves all that as it was.
    """

    id = fields.Key()
    conversation = fields.ForeignKey("oa.Conversation")
    seq = fields.BigNumber()
    sender = fields.ForeignKey("oa.Official")
    cid = fields.Text(64)
    kind = fields.State(MessageKind)
    content = fields.SealedJson()
    content_sha256 = fields.Digest()
    chain = fields.Digest()
    at = fields.Moment()
    recalled_at = fields.Moment(null=True)
    recalled_by = fields.ForeignKey("oa.Official", null=True)
    recall_reason = fields.SealedText(200, null=True)

    class Meta:
        app = "oa"
        table = "message"
        unique_together = (("conversation", "seq"), ("sender", "cid"))


class Inbox(fields.Model):
    """An official's cursor, under their own identifier: `head` is the number of the newest event, `floor` that of the newest
    one that is kept no more."""

    id = fields.Id(primary_key=True)
    head = fields.BigNumber(default=0)
    floor = fields.BigNumber(default=0)

    class Meta:
        app = "oa"
        table = "inbox"


class InboxEvent(fields.Model):
    """One event on an official's cursor: `useq` is its place there, from 1 on, without a gap.

    `seq` and `by` say which message and whose act it is about, where there is one.
    """

    id = fields.BigNumber(primary_key=True, generated=True)
    official_id = fields.Id()
    useq = fields.BigNumber()
    kind = fields.State(EventKind)
    conversation_id = fields.Id()
    seq = fields.BigNumber(default=0)
    by_id = fields.Id(null=True)
    at = fields.Moment()

    class Meta:
        app = "oa"
        table = "inbox_event"
        unique_together = (("official_id", "useq"),)
