"""查询签收情况：python receipts.py

逐件列出已发出的公文、各收文机关的签收情况，并把签名的回执存成文件。环境变量同 submit.py。
"""

import os
from pathlib import Path

from oa_sdk import Office, PemKey, System

system = System(os.environ["OA_SYSTEM"], PemKey.read(os.environ["OA_KEY"]))

with Office(os.environ["OA_ADDRESS"], system) as office:
    for row in office.documents.list(state="dispatched"):
        receipts = office.documents.receipts(row.id)
        signed = [item for item in receipts.items if item.signed_for_at]
        print(row.doc_no, row.title, f"{len(signed)}/{len(receipts.items)}")
        for item in receipts.items:
            print("  ", item.organ.name, item.state_title, item.signed_for_by or "", item.signed_for_at or "")
        for item in signed:
            Path(f"{item.id}.json").write_text(office.documents.receipt(item.id).content, "utf-8")
