"""Font chains, the fonts' fetching, and the seals of the trial."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from oa_server.core.errors import Invalid, Unavailable
from oa_server.demo.seal_image import make_seal
from oa_server.documents.layout.fonts import CHAINS, FONTS_MISSING, Face, FontLibrary, Style, chains_with
from tests.documents.layout.cast import FONTS

FETCH = Path(__file__).parents[3] / "deploy" / "fonts" / "fetch.py"


def test_banner_names_stand_ins(fonts: FontLibrary) -> None:
    """小标宋 has no free face, so the banner says what stands in for it, and names no style that is shown truly."""
    assert fonts.stand_ins == ("小标宋（Noto Serif CJK SC）",)


def test_site_fonts_come_first() -> None:
    """A family from the settings heads its chain and leaves the others alone."""
    chains = chains_with({"xiaobiaosong": "FandolHei"})
    assert chains[Style.XIAOBIAOSONG][0] == Face("FandolHei")
    assert chains[Style.FANGSONG] == CHAINS[Style.FANGSONG]
    assert FontLibrary([FONTS], chains).stand_ins == ()


def test_missing_fonts_are_said_at_once(tmp_path: Path) -> None:
    """Without fonts nothing starts, and the refusal says what to run."""
    with pytest.raises(Unavailable) as refusal:
        FontLibrary([tmp_path, tmp_path / "nowhere"])
    assert refusal.value.reason == FONTS_MISSING
    assert refusal.value.facts["styles"] == ["仿宋", "楷体", "黑体", "宋体", "小标宋"]


def test_common_characters_need_no_substitute(fonts: FontLibrary) -> None:
    """Text of GB 2312 is shown by the first face of every style, punctuation and digits included."""
    assert fonts.substitutes(dict.fromkeys(Style, "国务院办公厅〔2026〕1号，“一”《》（—）…★Abc")) == {}


def test_every_chain_reaches_the_extension_planes(fonts: FontLibrary) -> None:
    """Rare names can be shown in every style."""
    assert set(fonts.substitutes(dict.fromkeys(Style, "㛃䶮㙍䥽𬬻𬭊𬘡𫖮"))) == set("㛃䶮㙍䥽𬬻𬭊𬘡𫖮")


def test_second_fetch_takes_no_time(tmp_path: Path) -> None:
    """Where the fonts are complete, fetching them again touches nothing and ends at once, without a network."""
    (tmp_path / ".complete").write_text((FONTS / ".complete").read_text("utf-8"), "utf-8")
    began = time.perf_counter()
    subprocess.run([sys.executable, str(FETCH), str(tmp_path)], check=True, env={"PATH": "/nonexistent"})
    assert time.perf_counter() - began < 1
    assert [path.name for path in tmp_path.iterdir()] == [".complete"]


def test_failed_fetch_leaves_nothing(tmp_path: Path) -> None:
    """When neither Debian nor the registries answer, the run fails and leaves no folder that a later run would
    trust."""
    target = tmp_path / "fonts"
    failed = subprocess.run(
        [sys.executable, str(FETCH), str(target)], check=False, env={"PATH": "/nonexistent", "PIP_NO_INDEX": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert failed.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_seals_say_that_they_are_for_tests(fonts: FontLibrary) -> None:
    """The same name gives the same seal: ring, star, five words of warning and the name as outlines, no text to
    edit."""
    seal = make_seal("江州市人民政府", fonts=fonts)
    assert seal == make_seal("江州市人民政府", fonts=fonts)
    assert b"<text" not in seal.svg
    assert seal.svg.count(b"<path") == 1 + len("江州市人民政府") + len("测试专用章")


def test_seals_are_round_red_and_see_through(fonts: FontLibrary) -> None:
    """The picture has the diameter of the seal at 300 dpi, clear corners, and red ink that text shows through."""
    picture = Image.open(io.BytesIO(make_seal("江州市人民政府", fonts=fonts, diameter_mm=42).png))
    assert picture.mode == "RGBA"
    assert picture.width == picture.height == pytest.approx(42 / 25.4 * 300, abs=1)
    assert picture.getpixel((0, 0))[3] == 0
    red, green, _, alpha = picture.getpixel((picture.width // 2, picture.height // 2))
    assert (red > 200, green < 60) == (True, True)
    assert 150 < alpha < 255


def test_seals_of_unshowable_names_are_refused(fonts: FontLibrary) -> None:
    """A seal never has an empty box for a character."""
    with pytest.raises(Invalid):
        make_seal("江州市\U0003ffff局", fonts=fonts)
