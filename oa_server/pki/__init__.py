"""证书 pki: certificates on keys: who has which, who issued them, which are revoked, and what time it was.

Owns: key devices, certificate requests, certificates, trust anchors, revocation lists; the signer process with its keys.
Calls: identity (holders; ends sessions when a certificate is revoked).
Announces: nothing.

Vocabulary: 证书 = certificate, 介质 = key device, 吊销 = revoke, 吊销列表 = CRL, 时间戳 = timestamp, 信任锚 = trust anchor.

`signer.py` is the authority's own child process: the only place where its keys are ever in memory.
"""
