"""The cast of the layout tests: a city, its offices and their documents; nobody of them exists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from oa_server.documents.layout.model import DocumentLayout, Heading, JointOrgan, Paragraph

FONTS = Path(__file__).parents[3] / "var" / "fonts"
MADE_AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)

TEXT = (
    "为深入贯彻落实城镇老旧小区改造的决策部署，进一步改善居民居住条件，推动惠民生扩内需，推进城市更新和开发建设方式转型，"
    "根据《关于全面推进城镇老旧小区改造工作的指导意见》（江办发〔2025〕23号）等文件精神，结合我市实际，制定本方案。"
)
MAIN = (
    "各县（市、区）人民政府",
    "市发展和改革委员会",
    "市财政局",
    "市住房和城乡建设局",
    "市自然资源和规划局",
    "市民政局",
    "市审计局",
    "市城市管理局",
    "市政务服务和大数据管理局",
)


def make_notice() -> DocumentLayout:
    """通知 of three pages: nine main recipients, all four levels of headings, two attachments named."""
    return DocumentLayout(
        issuer_mark="江州市人民政府办公厅文件",
        title="江州市人民政府办公厅关于印发《江州市城镇老旧小区改造实施方案（2026—2030年）》的通知",
        main_recipients=MAIN,
        body=(
            Paragraph("实施方案已经市人民政府第12次常务会议审议通过，现印发给你们，请结合实际认真组织实施。"),
            Heading(1, "一、总体要求"),
            Paragraph(TEXT),
            Heading(2, "（一）基本原则。"),
            Paragraph(TEXT),
            Heading(3, "1.坚持以人为本。"),
            Paragraph(TEXT),
            Heading(4, "（1）完善配套设施。"),
            Paragraph(TEXT),
            Paragraph(TEXT),
        ),
        doc_no="江政办发〔2026〕17号",
        number_word="江政办发",
        attachment_note=(
            "江州市城镇老旧小区改造年度计划表及各县（市、区）任务分解和资金安排明细表",
            "江州市城镇老旧小区改造工作领导小组成员名单",
        ),
        issuer_signature="江州市人民政府办公厅",
        doc_date=date(2026, 11, 24),
        note="此件公开发布",
        copies_to=(
            "市委办公厅",
            "市人大常委会办公厅",
            "市政协办公厅",
            "市监察委员会",
            "市中级人民法院",
            "市人民检察院",
        ),
        printing_organ="江州市人民政府办公厅",
        print_date=date(2026, 11, 25),
    )


ORGANS = (
    "江州市发展和改革委员会",
    "江州市财政局",
    "江州市住房和城乡建设局",
    "江州市民政局",
    "江州市审计局",
    "江州市水务局",
    "江州市司法局",
    "江州市体育局",
    "江州市统计局",
    "江州市城市管理局",
)
SHORT_ORGANS = tuple(name for name in ORGANS if len(name) == 6)


def make_joint(*organs: str) -> DocumentLayout:
    """联合通知 of these organs, the lead organ first, the name of each in the mark and over its seal."""
    lead, *others = organs
    return replace(
        make_notice(),
        issuer_mark=f"{lead}文件",
        issuer_signature=lead,
        joint_organs=tuple(JointOrgan(name, mark=name) for name in others),
        title="关于开展城镇老旧小区改造工作检查的通知",
        attachment_note=(),
        note="",
    )


def make_request() -> DocumentLayout:
    """请示 with three signers, one of a rare name, and all marks."""
    return DocumentLayout(
        issuer_mark="江州市财政局文件",
        title="江州市财政局关于申请追加2026年老旧小区改造专项补助资金的请示",
        main_recipients=("江州市人民政府",),
        body=(Paragraph(TEXT), Paragraph(TEXT), Paragraph("妥否，请批示。")),
        doc_no="江财〔2026〕103号",
        signers=("张三", "欧阳喆㛃", "李建国"),
        issuer_signature="江州市财政局",
        doc_date=date(2026, 7, 1),
        copy_no="000012",
        classification="秘密★5年",
        urgency="特急",
        note="联系人：王小明，电话：0000-1234567",
        copies_to=("江州市发展和改革委员会",),
        printing_organ="江州市财政局办公室",
        print_date=date(2026, 7, 2),
    )
