"""The vocabulary of messaging."""

from __future__ import annotations

from enum import StrEnum


class ConversationKind(StrEnum):
    """What a conversation is: of two people, of a chosen group, or of whoever is in a unit or an organ."""

    DIRECT = "direct"
    GROUP = "group"
    UNIT = "unit"
    ORGAN = "organ"

    @property
    def follows_directory(self) -> bool:
        """Whether who belongs is decided by the directory and by nobody else."""
        return self in {ConversationKind.UNIT, ConversationKind.ORGAN}


class MessageKind(StrEnum):
    """What a message is: what somebody says, or what somebody did with the conversation, which has its place among the rest.

    All have one shape (`schemas.MessageOut`); the comment tells what stands in it.
    """

    TEXT = "text"  # text, mentions, reply_to
    FILE = "file"  # files, and text to them
    RECALL = "recall"  # reply_to: which message is taken back; text: why
    JOINED = "joined"  # mentions: who came; text: their names
    LEFT = "left"  # mentions: who went, or was taken off; text: their names
    RENAMED = "renamed"  # text: the new name
    OWNER = "owner"  # mentions: whose the group is now; text: their name

    @property
    def is_said(self) -> bool:
        """Whether somebody says something with it."""
        return self in {MessageKind.TEXT, MessageKind.FILE}


class EventKind(StrEnum):
    """What an official is told on their cursor."""

    MESSAGE = "message"  # there is a message
    READ = "read"  # somebody has read up to a message
    LIST = "list"  # they have a conversation otherwise in their list, as they said on another device
