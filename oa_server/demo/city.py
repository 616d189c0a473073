"""江城市, a fictitious city of real size: 69 organs, 503 officials, written as the workbook an administrator would import."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

import openpyxl

OFFICE = "JC001"
ORGANS = 69
OFFICIALS = 503

_DEPARTMENTS = (
    "发展和改革委员会 教育局 科学技术局 工业和信息化局 民族宗教事务局 公安局 民政局 司法局 财政局 人力资源和社会保障局 "
    "自然资源和规划局 生态环境局 住房和城乡建设局 交通运输局 水务局 农业农村局 商务局 文化广电和旅游局 卫生健康委员会 "
    "退役军人事务局 应急管理局 审计局 外事办公室 国有资产监督管理委员会 市场监督管理局 体育局 统计局 医疗保障局 "
    "机关事务管理局 信访局 城市管理局 数据局 林业和园林局 营商环境局 粮食和物资储备局 乡村振兴局 地方金融管理局 "
    "人民防空办公室 政务服务管理局 大数据中心 档案馆 地方志办公室 供销合作社 住房公积金管理中心 公共资源交易中心 "
    "投资促进局 气象局 税务局 消防救援支队 邮政管理局"
).split()
_DISTRICTS = "东江区 西江区 南江区 北江区 江湾区 高新技术产业开发区 临港县 平川县 青石县 云岭县 白沙市 清河市".split()
_OTHERS = "城市建设投资集团 交通投资集团 水务集团 江城大学 江城职业技术学院 江城日报社".split()

# Short forms where the first two characters would not do.
_WORDS = {
    "住房公积金管理中心": "公积金", "地方志办公室": "志办", "城市建设投资集团": "城投", "交通投资集团": "交投", "水务集团": "水司",
    "江城大学": "大学", "江城职业技术学院": "职院", "江城日报社": "报社",
}  # fmt: skip

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = (
    "建国 志强 海燕 晓梅 文斌 立新 春华 国庆 丽娟 俊杰 思远 雨桐 嘉怡 浩然 子轩 明辉 秀英 桂兰 永康 德胜 "
    "慧敏 雪梅 振华 家豪 佳宁 若曦 天佑 景行 怀瑾 清扬 卫东 爱民 红梅 新宇 正阳 一鸣 静怡 欣然 博文 致远"
).split()

# Post by post: unit, title, whether in charge, and the responsibilities that go with it.
_POSTS = (
    ("领导", "主要领导", True, "领导"),
    ("领导", "分管领导", False, "领导"),
    ("办公室", "办公室主任", False, "部门负责人;核稿"),
    ("办公室", "机要文书", False, "机要文书"),
    ("办公室", "印章管理员", False, "印章管理员"),
    ("业务科", "业务科科长", False, "部门负责人"),
    ("业务科", "科员", False, ""),
)
_ADMINISTRATORS = (("系统管理员", "系统管理员"), ("安全管理员", "安全管理员"), ("审计员", "审计员"))


@dataclass(frozen=True, slots=True)
class OrganName:
    code: str
    full_name: str
    short_name: str
    level: str
    word: str


def organs() -> list[OrganName]:
    """The 69 organs, the government office first."""
    found = [OrganName(OFFICE, "江城市人民政府办公室", "市政府办公室", "市级", "江政办发")]
    for name in _DEPARTMENTS:
        found.append(OrganName(_code(found), f"江城市{name}", f"市{name}", "部门", _word(name)))
    for name in _DISTRICTS:
        is_zone = name.endswith("开发区")
        full = f"江城{name}管理委员会" if is_zone else f"{name}人民政府"
        short = "高新区管委会" if is_zone else f"{name}政府"
        found.append(OrganName(_code(found), full, short, "县级", f"{name[:2]}政发"))
    for name in _OTHERS:
        full = name if name.startswith("江城") else f"江城市{name}"
        found.append(OrganName(_code(found), full, name, "部门", _word(name)))
    return found[:ORGANS]


def _word(name: str) -> str:
    return f"江{_WORDS.get(name, name[:2])}发"


def _code(found: list[OrganName]) -> str:
    return f"JC{len(found) + 1:03d}"


def officials() -> Iterator[tuple[str, str, str, str, str, str, str]]:
    """Rows of the sheet 人员: organ, unit, code, name, title, in charge, responsibilities. The same names every time."""
    dice = random.Random(2026)  # noqa: S311  names, not secrets
    number = 0
    for organ in organs():
        posts = [*_POSTS]
        if organ.code == OFFICE:
            posts += [("秘书科", "秘书科科长", False, "部门负责人"), *[("秘书科", "秘书", False, "")] * 8]
            posts += [("综合科", "综合科科长", False, "部门负责人"), *[("综合科", "科员", False, "")] * 7]
            posts += [("信息中心", title, False, role) for title, role in _ADMINISTRATORS]
        for unit, title, in_charge, roles in posts:
            number += 1
            name = dice.choice(_SURNAMES) + dice.choice(_GIVEN)
            yield organ.code, unit, f"{number:05d}", name, title, "是" if in_charge else "", roles


def workbook() -> bytes:
    """The directory as .xlsx, in the form that the import documents."""
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "机关"
    first.append(["机关代码", "机关全称", "机关简称", "级别", "上级机关代码", "机关代字", "发文机关标志"])
    for organ in organs():
        superior = "" if organ.code == OFFICE else OFFICE
        first.append(
            [organ.code, organ.full_name, organ.short_name, organ.level, superior, organ.word, f"{organ.full_name}文件"]
        )
    second = book.create_sheet("人员")
    second.append(["机关代码", "部门", "人员编号", "姓名", "职务", "主要负责人", "职责"])
    for row in officials():
        second.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
