"""签名用印 signing: what people are asked to sign, what they signed, the organs' seals, and reports on all of it.

Owns: signature requests, signatures, seals.
Calls: pki (certificates, timestamps), identity.
Announces: nothing; whoever asked for a signature finishes its own act with it.

Vocabulary: 签名 = signature, 印章 = seal, 用印 = to seal, 验证报告 = verification report.
"""
