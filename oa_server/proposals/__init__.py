"""议案、建议、提案 proposals: what deputies and members put forward, from the draft to the judgement of those who made it.

Owns: sittings with their limits and members; proposals with their versions, proposers, reviews and points; assignments to
organs with contacts, co-handlers' opinions and replies; feedback; sheets that were brought in, and what sheets call organs.
Calls: documents (a reply is an official document), deadlines (clocks), signing (consents, feedback), identity.
Announces: nothing.

Vocabulary: 届次 = sitting, 大会秘书处、提案委 = secretariat, 交办 = dispatch, 督查 = oversight, 领衔人 = lead proposer, 附议人 =
co-signer, 案号 = case number, 立案 = file, 不予立案 = reject, 并案 = merge, 撤案 = withdraw, 主办 = lead, 协办 = co-handler, 分别办理 =
separate, 导入 = import, 别名 = unit alias, 退办 = return, 裁定 = arbitrate, 面商 = contact, 建议点 = point, 答复 = reply, 二次办理 =
second round.

Files beyond the usual: `states.py` the vocabulary, `limits.py` the time limits and customs with their sources, `sittings.py` what
is set up for a sitting, `cases.py` a case that is held while somebody acts, `drafting.py` text and co-signers, `reviewing.py` the
secretariat's decisions, `assigning.py` the way of a case to organs and back, `answering.py` replies and what leads to them,
`judging.py` feedback and what follows from it, `asking.py` what is to be signed, `likeness.py` and `indexing.py` which are alike,
`figures.py` what is counted of what, `wall.py` what a screen on the wall shows, `published.py` what everybody may read,
`answers.py` rows in the words of the wire. Of sheets: `bodies.py` the file that comes in and the texts beside it, `sheet.py`
columns and cells, `matching.py` which case a row is and what it changes, `importing.py` bringing it in, `import_answers.py` and
`import_routes.py` telling of it.
"""
