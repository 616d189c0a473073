"""公文 documents: official documents, outgoing (发文) and incoming (收文), from draft to signed receipt.

Owns: outgoing documents with their versions, pages, opinions and numbers; consignments; incoming documents.
Calls: workflow (routes and tasks), files (attachments), signing (opinions, seals, receipts), identity.
Announces: `DocumentDispatched`, `DocumentSignedFor`, `DocumentRefused`.

Vocabulary: 公文 = document, 发文 = outgoing, 收文 = incoming, 签发 = sign, 核稿 = office review, 发文字号 = doc_no,
用印 = seal, 分发 = dispatch, 签收 = sign for, 拒收 = refuse, 收文号 = receive_no, 批示 = instruct, 承办 = handle, 办结 = close.

Files beyond the usual: `states.py` the vocabulary, `numbering.py` the ledger of numbers, `layout/` GB/T 9704 pages,
`docx.py` Word files in.
"""
