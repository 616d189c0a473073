"""版式 layout: an official document as pages, after the general format of GB/T 9704-2012.

Owns: the page geometry and its template (`general.typ`), the font chains, and the digest of the text a leader signs.
Calls: nothing but `core` and `crypto.canonical`; rendering is pure, its inputs are values and its clock is an argument.
Announces: nothing.

Vocabulary: 发文机关标志 = issuer_mark, 发文字号 = doc_no, 签发人 = signers, 主送 = main_recipients, 附件说明 =
attachment_note, 联署机关 = joint_organs, 署名 = issuer_signature, 签名章 = signature_stamps, 成文日期 = doc_date, 附注 =
note, 横排表格 = landscape table, 版记 = colophon, 抄送 = copies_to, 印发机关 = printing_organ, 版心 = type area, 送审稿 =
review copy.

Files: `model.py` what is laid out, `title.py` where a title breaks, `fonts.py` which face shows which character,
`general.typ` the template, `render.py` from the one to the other.
"""
