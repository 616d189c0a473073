"""签名章: a document that carries the stamp of a leader's signature in the place of the organ's seal (7.3.5.3)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from oa_server.documents.layout.model import DocumentLayout, SignatureStamp
from tests.documents.layout.conftest import Render
from tests.documents.layout.measured import CHAR, LEFT, MM, RIGHT, SIZE_3, TOLERANCE, read_pages

DAY = "2026年11月24日"


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE)


@pytest.mark.parametrize("size", [(40.0, 20.0), (30.0, 15.0), (50.0, 25.0)])
def test_stamp_of_the_signer(rendered: Render, notice: DocumentLayout, size: tuple[float, float]) -> None:
    """The stamp stands two lines under the text and four characters from the right, the post two characters left of it
    in the middle of its height; the date stands one line under it, four characters from the right, 附注 on the line
    under the date."""
    result = rendered(replace(notice, signature_stamps=(SignatureStamp("市长", *size),)))
    pitch = result.line_pitch / MM
    assert result.seal_positions == ()
    (stamp,) = result.stamp_positions
    page = read_pages(result.pdf)[stamp.page]
    left, bottom, right, top = (value / MM for value in stamp.box)
    upper, lower = page.height - top, page.height - bottom
    post, day = page.line("市长"), page.line(DAY)
    text_end = max(line.bottom for line in page.lines if line.bottom < upper)
    assert (right - left, lower - upper) == (near(size[0]), near(size[1]))
    assert upper == near(text_end + 2 * pitch + (pitch - SIZE_3))
    assert right == near(RIGHT - 4 * CHAR)
    assert post.text == "市长"
    assert post.right == near(left - 2 * CHAR)
    assert (post.top + post.bottom) / 2 == near((upper + lower) / 2)
    assert (post.size, post.font) == (near(SIZE_3), "FandolFang-Regular")
    assert day.right == near(RIGHT - 4 * CHAR)
    assert day.top == near(lower + (pitch - SIZE_3) + pitch)
    assert page.line("此件公开发布").top == near(day.top + pitch)
    assert not page.has(f"{notice.issuer_signature}{DAY}")


def test_stamps_of_several_signers(rendered: Render, notice: DocumentLayout) -> None:
    """Of several organs each signer has a line, the lead organ's first, posts and stamps under each other."""
    posts = ("江州市发展和改革委员会主任", "局长", "江州市住房和城乡建设局局长")
    result = rendered(replace(notice, signature_stamps=tuple(SignatureStamp(post) for post in posts)))
    boxes = [tuple(value / MM for value in stamp.box) for stamp in result.stamp_positions]
    page = read_pages(result.pdf)[-1]
    assert [box[2] for box in boxes] == [near(RIGHT - 4 * CHAR)] * 3
    assert all(above[1] > below[3] for above, below in pairwise(boxes))
    lines = [next(line for line in page.lines if line.text == post) for post in posts]
    for line, (left, bottom, _, top) in zip(lines, boxes, strict=True):
        assert line.right == near(left - 2 * CHAR)
        assert (line.top + line.bottom) / 2 == near(page.height - (top + bottom) / 2)
    pitch = result.line_pitch / MM
    assert page.line(DAY).top == near(page.height - boxes[-1][1] + (pitch - SIZE_3) + pitch)


def test_long_post_wraps_inside_the_type_area(rendered: Render, notice: DocumentLayout) -> None:
    """A full post too long for the line takes two, still in the middle of the stamp's height."""
    post = "江州市推进城镇老旧小区改造和城市更新工作领导小组组长"
    result = rendered(replace(notice, signature_stamps=(SignatureStamp(post),)))
    page = read_pages(result.pdf)[-1]
    _, bottom, _, top = (value / MM for value in result.stamp_positions[0].box)
    lines = [line for line in page.lines if line.text and line.text in post]
    assert "".join(line.text for line in lines) == post
    assert all(line.left > LEFT - TOLERANCE for line in lines)
    assert (lines[0].top + lines[-1].bottom) / 2 == near(page.height - (top + bottom) / 2)
