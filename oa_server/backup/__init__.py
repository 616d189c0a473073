"""备份 backup: the whole installation at one moment, copied while it runs, and put back on an empty machine.

Owns: a folder of backups. Each is a folder of its own with a copy of the database, the list of all objects that it names, and a
manifest of both that is authenticated by a secret of the installation (`manifest`). Objects lie beside them, once for all
backups, encrypted as they are: what an earlier backup has is not copied again. A backup is made under a hidden name and takes
its own when it is complete (`making`). Keys are never copied: the manifest names each, with its fingerprint, and people keep
them on a medium of their own.
Calls: storage for copies of the database and the objects, audit to have each copy on record, and verification after restoring.

The database comes first and the objects after it: an object is durable before a row names it, and none that a row names is ever
deleted, so all that the copy names is there.

Vocabulary: 备份 = backup, 恢复 = restore, 清单 = manifest, 单独保管的介质 = the medium that keeps the keys.
"""
