"""部门接口 departments: what departments' systems are told of: a feed of what happened to the documents of their unit, which
they ask for or have sent to them.

Owns: feed entries, webhooks and how far each has come.
Calls: documents (whose a document is), identity (which systems a unit has).
Announces: nothing. It follows the acts that the unit of work records.

Vocabulary: 事件 = event, 事件流 = feed, 推送地址 = webhook.

`reactions.py` fills the feed, `delivery.py` sends it.

Systems themselves, their keys and tokens belong to identity (`clients.py`); what they may ask and do is told by the scopes of
the endpoints of each domain.
"""
