"""报送一份带附件的公文：python submit.py 业务流水号 附件路径

环境变量：OA_ADDRESS 服务器地址，OA_SYSTEM 系统代码，OA_KEY 私钥文件（PEM）。
"""

import os
import sys
from pathlib import Path

from oa_sdk import Body, Elements, Office, Paragraph, PemKey, System

serial, file = sys.argv[1], Path(sys.argv[2])
system = System(os.environ["OA_SYSTEM"], PemKey.read(os.environ["OA_KEY"]))

with Office(os.environ["OA_ADDRESS"], system) as office:
    main, copy = (office.directory.organs(name)[0].id for name in ("财政局", "教育局"))
    own = office.directory.organ(office.directory.organs("政府办公室")[0].id)
    signer = next(person for unit in own.units for person in unit.officials if person.is_principal)
    title = "关于报送预算执行情况的通知"
    elements = Elements(kind="notice", title=title, main_recipients=[main], copies_to=[copy], signer_id=signer.id)
    body = Body([Paragraph("请各单位于月底前报送本季度预算执行情况，报送表见附件。")])
    # key 取自业务流水号：中断后用同一个流水号再运行一次，不会重复报送。
    document = office.documents.draft(elements, body, key=f"{serial}-draft")
    office.attachments.upload(document.id, file, key=f"{serial}-file", progress=lambda sent, of: print(sent, "/", of))
    document = office.documents.submit(office.documents.get(document.id), key=f"{serial}-submit")
    print(document.id, document.state_title)
