"""The examples that programmers copy, run as they stand against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sdk.conftest import SDK, Sent, Site, run


def test_submitting(sent: Sent) -> None:
    """报送一份带附件的公文: it is under review afterwards; run once more with the same number, nothing is sent a second time."""
    first, again = sent.submitted
    assert first == again == f"{sent.document} 审核"


def test_receipts(site: Site, sent: Sent, tmp_path: Path) -> None:
    """查询签收情况: each recipient is printed, and the signed receipt of the one that signed for it is kept."""
    lines = run(site, site.let_in("caizheng"), tmp_path, "receipts.py")
    at = next(n for n, line in enumerate(lines) if "关于报送预算执行情况的通知" in line)
    assert lines[at].endswith("1/2")
    assert sorted(line.split()[0] for line in lines[at + 1 : at + 3]) == ["江城市教育局", "江城市财政局"]
    assert "周敏" in "".join(lines[at + 1 : at + 3])
    (receipt,) = tmp_path.glob("*.json")
    assert '"type":"oa/receipt/1"' in receipt.read_text("utf-8")


def test_fetching(site: Site, sent: Sent, tmp_path: Path) -> None:
    """下载分办到本部门的收文: the original and the attachment lie in the folder; run once more, there is nothing new."""
    receiver = site.let_in("yusuan")
    (said,) = run(site, receiver, tmp_path, "fetch.py", ".")
    assert "关于报送预算执行情况的通知" in said
    assert (tmp_path / f"{sent.item}.pdf").read_bytes().startswith(b"%PDF")
    (attachment,) = tmp_path.glob(f"*-{sent.file.name}")
    assert attachment.read_bytes() == sent.file.read_bytes()
    assert run(site, receiver, tmp_path, "fetch.py", ".") == []


@pytest.mark.parametrize("example", ["submit.py", "receipts.py", "fetch.py"])
def test_examples_are_short(example: str) -> None:
    """An example is about twenty lines, and speaks of the SDK alone."""
    text = (SDK / "examples" / example).read_text("utf-8")
    assert len([line for line in text.partition('"""\n\n')[2].splitlines() if line.strip()]) <= 25
    assert "oa_server" not in text
