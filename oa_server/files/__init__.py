"""附件 files: attachments of documents: resumable upload, encryption, digest, download.

Owns: stored files; their bytes lie in the object store, encrypted in parts under one key per file.
Calls: audit (through the unit of work). Who may read or add a file, the subject's own domain decides.
Announces: nothing.

Vocabulary: 附件 = file, 断点续传 = resumable upload.
"""
