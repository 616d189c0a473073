"""下载分办到本部门的收文：python fetch.py 目录

按事件取新到的收文，正本和附件存入目录；处理到哪一个事件记在目录里，下次接着取。环境变量同 submit.py。
"""

import asyncio
import os
import sys
from pathlib import Path

from oa_sdk import AsyncOffice, PemKey, System


async def main(folder: Path) -> None:
    system = System(os.environ["OA_SYSTEM"], PemKey.read(os.environ["OA_KEY"]))
    place = folder / "last-event"
    last = int(place.read_text("ascii")) if place.exists() else 0
    async with AsyncOffice(os.environ["OA_ADDRESS"], system) as office:
        async for event in office.events.after(last):
            if event.type == "oa.documents.assigned":
                document = await office.incoming.get(event.data["id"])
                await office.incoming.pages(document.id, folder / f"{document.id}.pdf")
                for attachment in document.attachments:
                    await office.attachments.download(attachment.id, folder / f"{attachment.id}-{attachment.name}")
                print(document.doc_no, document.title)
            place.write_text(event.sequence, "ascii")


asyncio.run(main(Path(sys.argv[1])))
