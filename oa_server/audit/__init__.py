"""审计 audit: the append-only record of everything that happened, kept as a Merkle log (RFC 9162).

Owns: audit records, their leaves in the log, and the signed tree heads.
Calls: nobody. Everybody writes to it through the unit of work (`core.ports.AuditSink`).
Announces: nothing.

Vocabulary: 审计记录 = record, 审计日志 = log, 树头 = head.

Records are inserted and never updated; the sequencer inserts a leaf beside each, in one order for all, and a head signs
how many leaves there are and what they hash to. A record also holds the digests of the rows its act left behind, so that
a row changed behind our back no longer agrees with the log.
"""
