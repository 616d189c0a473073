"""公文 documents: official documents, outgoing (发文) and incoming (收文), from draft to signed receipt.

Owns: outgoing documents with their versions, pages, opinions and numbers; consignments; incoming documents.
Calls: workflow (routes and tasks), files (attachments), signing (opinions, seals, receipts), identity.
Announces: nothing.

Vocabulary: 公文 = document, 发文 = outgoing, 收文 = incoming, 签发 = sign, 核稿 = office review, 发文字号 = doc_no,
用印 = seal, 分发 = dispatch, 签收 = sign for, 拒收 = refuse, 收文号 = receive_no, 批示 = instruct, 承办 = handle, 办结 = close.

Files beyond the usual: `states.py` the vocabulary, `drafting.py` the draft, `asking.py` what is to be signed, `opinions.py`
signed opinions, `receiving.py` the verbs of the receiving side, `numbering.py` the ledger of numbers, `pages.py` and
`layout/` GB/T 9704 pages, `docx.py` Word files in, `answers.py` rows in the words of the wire.
"""
