"""即时通讯 messaging: what officials say to each other, of which nothing is lost, doubled or out of order.

Owns: conversations, who is in them from which message on, messages, and every official's cursor.
Calls: identity (who is who, and where), files (what is attached).
Announces: nothing.

Vocabulary: 会话 = conversation, 单聊 = direct, 群聊 = group, 部门群 / 机关群 = room of a unit / an organ, 成员 = membership,
消息 = message, 撤回 = recall, 已读 = read, 游标 = cursor.

Two rows of numbers carry the promise, and neither has a gap: a message's place in its conversation, and an event's place
on its official's cursor. Both are given inside the transaction that inserts the row (`ledger.py`). A client that has
seen event n takes n + 1 and nothing else; what it misses it pulls. So whatever is pushed may be lost, doubled or late.

A message's row holds the digest of the one before it in its conversation. It is its own record: messages are the one
thing here that leaves no audit entry of its own.
"""
