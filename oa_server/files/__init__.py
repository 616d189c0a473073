"""附件 files: attachments of documents: resumable upload, encryption, digest, scanning, download.

Owns: stored files; their bytes lie in the object store, encrypted in parts under one key per file.
What is scanned for malware (`scanning`) is what is kept and given out again: attachments, whoever sends them. Word files,
sheets, PDF files and certificates that others read from are parsed under their own limits and not kept.
Calls: audit (through the unit of work). Who may read or add a file, the subject's own domain decides.
Announces: nothing.

Vocabulary: 附件 = file, 断点续传 = resumable upload, 待检 = held, 隔离 = quarantined.
"""
