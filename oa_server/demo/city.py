"""江城市, a fictitious city of real size: 70 organs, 514 officials, written as the workbook an administrator would import."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import openpyxl

OFFICE = "JC001"
CONGRESS = "JC070"
ORGANS = 70
OFFICIALS = 514

# Name and word (机关代字) of each department.
_DEPARTMENTS = (
    "发展和改革委员会/发改 教育局/教 科学技术局/科 工业和信息化局/工信 民族宗教事务局/民宗 公安局/公 民政局/民 司法局/司 "
    "财政局/财 人力资源和社会保障局/人社 自然资源和规划局/自然资规 生态环境局/环 住房和城乡建设局/建 交通运输局/交 "
    "水务局/水 农业农村局/农 商务局/商 文化广电和旅游局/文旅 卫生健康委员会/卫健 退役军人事务局/退役军人 应急管理局/应急 "
    "审计局/审 外事办公室/外 国有资产监督管理委员会/国资 市场监督管理局/市监 体育局/体 统计局/统 医疗保障局/医保 "
    "机关事务管理局/机管 信访局/信 城市管理局/城管 数据局/数 林业和园林局/林园 营商环境局/营商 粮食和物资储备局/粮 "
    "乡村振兴局/乡振 地方金融管理局/金 人民防空办公室/人防 政务服务管理局/政务 大数据中心/大数据 档案馆/档 "
    "地方志办公室/志 供销合作社/供 住房公积金管理中心/公积金 公共资源交易中心/公资 投资促进局/投促 气象局/气 税务局/税 "
    "消防救援支队/消 邮政管理局/邮"
).split()
_DISTRICTS = "东江区 西江区 南江区 北江区 江湾区 高新技术产业开发区 临港县 平川县 青石县 云岭县 白沙市 清河市".split()
_OTHERS = (
    "城市建设投资集团/城投 交通投资集团/交投 水务集团/水司 江城大学/大学 江城职业技术学院/职院 江城日报社/报社".split()
)

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = (
    "建国 志强 海燕 晓梅 文斌 立新 春华 国庆 丽娟 俊杰 思远 雨桐 嘉怡 浩然 子轩 明辉 秀英 桂兰 永康 德胜 "
    "慧敏 雪梅 振华 家豪 佳宁 若曦 天佑 景行 怀瑾 清扬 卫东 爱民 红梅 新宇 正阳 一鸣 静怡 欣然 博文 致远 "
    "伟 敏 静 丽 强 磊 军 洋 勇 艳 杰 涛 明 超 平 刚"
).split()

# Who leads an organ and who is the deputy, by how its name ends.
_HEADS = (
    ("局", "局长", "副局长"), ("支队", "支队长", "副支队长"), ("集团", "董事长", "总经理"), ("大学", "校长", "副校长"),
    ("学院", "院长", "副院长"), ("报社", "社长", "总编辑"), ("档案馆", "馆长", "副馆长"), ("开发区", "主任", "副主任"),
    ("区", "区长", "副区长"), ("县", "县长", "副县长"), ("市", "市长", "副市长"), ("", "主任", "副主任"),
)  # fmt: skip

LEADERS, GENERAL, BUSINESS, ADMINISTRATION = "领导班子", "办公室", "综合科", "信息中心"
OFFICE_GENERAL = "文电科"
DEPUTY_AFFAIRS, DEPUTIES = "代表工作处", "代表"


class Post(NamedTuple):
    """A row of the sheet 人员, but for the person: unit, title, whether in charge, responsibilities."""

    unit: str
    title: str
    in_charge: bool = False
    roles: str = ""


@dataclass(frozen=True, slots=True)
class OrganName:
    """A row of the sheet 机关."""

    code: str
    name: str
    full_name: str
    short_name: str
    level: str
    word: str


def organs() -> list[OrganName]:
    """The 70 organs, the government office first and the congress's office, which has nobody above it, last."""
    found = [OrganName(OFFICE, "办公室", "江城市人民政府办公室", "市政府办公室", "市级", "江政办发")]
    for name, word in (entry.split("/") for entry in _DEPARTMENTS):
        found.append(OrganName(_code(found), name, f"江城市{name}", f"市{name}", "部门", f"江{word}发"))
    for name in _DISTRICTS:
        is_zone = name.endswith("开发区")
        full = f"江城{name}管理委员会" if is_zone else f"{name}人民政府"
        short = "江城高新区管委会" if is_zone else full
        found.append(OrganName(_code(found), name, full, short, "县级", f"{name[:2]}政发"))
    for name, word in (entry.split("/") for entry in _OTHERS):
        full = name if name.startswith("江城") else f"江城市{name}"
        found.append(OrganName(_code(found), name, full, full.replace("江城市", "市"), "部门", f"江{word}发"))
    found.append(OrganName(CONGRESS, "人大常委会办公室", "江城市人大常委会办公室", "市人大办", "市级", "江人办发"))
    return found


def _code(found: list[OrganName]) -> str:
    return f"JC{len(found) + 1:03d}"


def group(name: str) -> list[str]:
    """The codes of the departments, the districts, the others, or the one organ that has this code."""
    codes = [organ.code for organ in organs()]
    last_department, last_district = 1 + len(_DEPARTMENTS), 1 + len(_DEPARTMENTS) + len(_DISTRICTS)
    groups = {
        "departments": codes[1:last_department],
        "districts": codes[last_department:last_district],
        "others": codes[last_district:-1],
    }
    return groups.get(name, [name])


def general_unit(organ: str) -> str:
    """Where an organ keeps its clerk and its seal."""
    return OFFICE_GENERAL if organ == OFFICE else GENERAL


def _posts(organ: OrganName) -> Iterator[Post]:
    head, deputy = next((head, deputy) for ending, head, deputy in _HEADS if organ.name.endswith(ending))
    general = general_unit(organ.code)
    yield Post(LEADERS, head, in_charge=True, roles="领导")
    yield Post(LEADERS, deputy, roles="领导")
    yield Post(general, "文电科科长" if general == OFFICE_GENERAL else "办公室主任", roles="部门负责人;核稿")
    yield Post(general, "机要文书", roles="机要文书")
    yield Post(general, "印章管理员", roles="印章管理员")
    yield Post(BUSINESS, "综合科科长", roles="部门负责人")
    yield Post(BUSINESS, "科员")
    if organ.code == OFFICE:
        yield from (Post("秘书科", "秘书科科长", roles="部门负责人"), *[Post("秘书科", "秘书")] * 8)
        yield from (Post("督查科", "督查科科长", roles="部门负责人"), *[Post("督查科", "科员")] * 7)
        yield from (Post(ADMINISTRATION, role, roles=role) for role in ("系统管理员", "安全管理员", "审计员"))
    if organ.code == CONGRESS:
        yield Post(DEPUTY_AFFAIRS, "代表工作处处长", roles="核稿")
        yield Post(DEPUTY_AFFAIRS, "代表工作处文书", roles="机要文书")
        yield from [Post(DEPUTIES, "市人大代表")] * 2


def officials() -> Iterator[tuple[str, str, str, str, str, str, str]]:
    """Rows of the sheet 人员: organ, unit, code, name, title, in charge, responsibilities. The same names every time."""
    names = _names()
    rows = ((organ.code, post) for organ in organs() for post in _posts(organ))
    for number, ((organ, post), name) in enumerate(zip(rows, names, strict=False), start=1):
        yield organ, post.unit, f"{number:05d}", name, post.title, "是" if post.in_charge else "", post.roles


def _names() -> Iterator[str]:
    """Names without end; nobody has a namesake, so that a name is enough to find a certificate by."""
    dice = random.Random(2026)  # noqa: S311  names, not secrets
    given: set[str] = set()
    while True:
        name = dice.choice(_SURNAMES) + dice.choice(_GIVEN)
        if name not in given:
            given.add(name)
            yield name


def remits() -> list[tuple[str, str]]:
    """Rows of the sheet 主要职责: organ, and one thing that it answers for, as it stands in remits.toml."""
    text = Path(__file__).with_name("remits.toml").read_text("utf-8")
    listed = msgspec.toml.decode(text, type=dict[str, list[str]])
    return [(organ.code, remit) for organ in organs() for remit in listed.get(organ.name, ())]


def founding_workbook() -> bytes:
    """What the console begins an installation with: the government office and its three administrators."""
    return _workbook(organs()[:1], [row for row in officials() if row[1] == ADMINISTRATION])


def workbook() -> bytes:
    """The whole directory as .xlsx, in the form that the import documents."""
    return _workbook(organs(), officials(), remits())


def _workbook(
    organ_rows: Iterable[OrganName], official_rows: Iterable[Sequence[str]], remit_rows: Iterable[Sequence[str]] = ()
) -> bytes:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.title = "机关"
    first.append(["机关代码", "机关全称", "机关简称", "级别", "上级机关代码", "机关代字", "发文机关标志"])
    for organ in organ_rows:
        superior = "" if organ.code in {OFFICE, CONGRESS} else OFFICE
        first.append(
            [organ.code, organ.full_name, organ.short_name, organ.level, superior, organ.word, f"{organ.full_name}文件"]
        )
    second = book.create_sheet("人员")
    second.append(["机关代码", "部门", "人员编号", "姓名", "职务", "主要负责人", "职责"])
    for row in official_rows:
        second.append(list(row))
    third = book.create_sheet("主要职责")
    third.append(["机关代码", "主要职责"])
    for row in remit_rows:
        third.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
