"""Cases as members write them: seeded, with matters, texts, people and organs that fit each other; for sheets and for figures.

made = cases(7, 1612, organs=["市财政局", …])
data = archive(made)            # a .zip of the sheet and a .txt for each body
"""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from xml.sax.saxutils import escape

import openpyxl

from oa_server.proposals.sheet import TITLES

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊"
    "秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文建国志红梅春玉兰海燕晓东雪峰宁波林鹏飞振宇思远立新学民永康德胜长青景云家栋成业"
DELEGATIONS = (
    "城东代表团",
    "城西代表团",
    "城南代表团",
    "城北代表团",
    "江口代表团",
    "临湖代表团",
    "石桥代表团",
    "开发区代表团",
)
PARTIES = (
    "中共党员",
    "民革党员",
    "民盟盟员",
    "民建会员",
    "民进会员",
    "农工党员",
    "致公党员",
    "九三学社社员",
    "无党派",
    "群众",
)
EMPLOYERS = (
    "市第一人民医院", "江城职业技术学院", "江城机械股份有限公司", "城东街道办事处", "市实验小学", "临湖镇湖心村", "江城律师事务所",
    "市农业科学研究所", "江城公共交通集团", "石桥镇人民政府", "江城大学", "市图书馆",
)  # fmt: skip
DUTIES = ("主任", "教授", "董事长", "书记", "校长", "高级工程师", "律师", "主任医师", "村民委员会主任", "经理")
PLACES = (
    "城东区",
    "城西区",
    "临湖新区",
    "石桥镇",
    "江口片区",
    "开发区",
    "老城区",
    "高铁片区",
    "城北乡镇",
    "环湖路沿线",
)

# Field, kinds of matter in it, and what is complained of and asked for there.
FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "城建环保": (
        ("老旧小区停车", "污水管网改造", "垃圾分类投放", "内涝点整治", "口袋公园建设", "扬尘治理"),
        ("设施建成年代较早，承载能力不足", "管护责任不清，多头管理", "资金投入缺少稳定来源", "群众反映集中，整改反复"),
        (
            "编制专项整治方案并列入年度计划",
            "明确牵头部门和管护单位",
            "设立专项资金，引导社会资本参与",
            "建立问题台账，定期向社会公开",
        ),
    ),
    "教育科技": (
        ("学位供给", "课后服务", "职业教育产教融合", "校园食品安全", "青少年心理健康", "科普场馆开放"),
        ("新建小区入住快，学校建设滞后", "师资结构性缺编", "家长接送时段交通拥堵", "专业设置与企业需求脱节"),
        (
            "按人口变化调整学校布局",
            "统筹编制，优先保障紧缺学科",
            "由教育、公安部门联合制定接送方案",
            "支持企业共建实训基地",
        ),
    ),
    "医疗卫生": (
        ("社区卫生服务中心建设", "家庭医生签约", "儿科夜间门诊", "医养结合", "院前急救站点布局"),
        ("基层医疗人才引不进、留不住", "设备更新慢，检查项目少", "信息系统互不联通", "老年人就医不便"),
        ("提高基层岗位待遇，实行县管乡用", "统一采购和更新设备", "推进检查结果互认", "在社区设立助医服务点"),
    ),
    "交通运输": (
        ("公交线路优化", "农村公路养护", "路口渠化改造", "共享单车停放", "新能源车充电设施"),
        ("高峰时段通行能力不足", "养护经费标准多年未调整", "规划与建设时序不衔接", "停放秩序混乱"),
        ("开展客流调查，调整线网和班次", "提高养护补助标准", "对重点路口一点一策改造", "划定停放区并落实企业责任"),
    ),
    "农业农村": (
        ("高标准农田建后管护", "农产品冷链物流", "村级集体经济", "农村人居环境", "特色水果品牌建设"),
        ("产业链条短，附加值低", "青壮年劳动力外流", "基础设施欠账较多", "管护机制不健全"),
        ("整合涉农资金集中投入", "培育新型经营主体", "建设区域性冷链集配中心", "把管护经费纳入财政预算"),
    ),
    "社会保障": (
        ("社区养老食堂", "残疾人就业", "灵活就业人员参保", "公益性岗位管理", "退役军人服务"),
        ("服务供给与需求不匹配", "政策知晓率不高", "运营成本高，可持续性差", "部门间数据不共享"),
        ("以奖代补支持社会力量运营", "开展政策进社区活动", "建立跨部门信息共享机制", "优化补贴申领流程"),
    ),
    "财税金融": (
        ("中小企业融资担保", "政府采购付款", "惠企政策兑现", "产业基金投向", "预算绩效管理"),
        ("企业抵押物不足，融资成本偏高", "申报材料多、兑现周期长", "政策宣传不到位", "绩效评价结果运用不足"),
        ("扩大担保基金规模并降低费率", "推行免申即享", "公开兑现进度", "把评价结果与预算安排挂钩"),
    ),
    "政法司法": (
        ("社区矛盾调解", "反电信诈骗宣传", "出租房屋管理", "法律援助", "交通安全进农村"),
        ("基层力量薄弱，专业性不强", "新型案件多发", "流动人口管理难度大", "群众法治意识有待提高"),
        ("充实专职调解员队伍", "联合运营商开展精准预警", "建立房东、租客双向备案制度", "把法律服务窗口延伸到社区"),
    ),
}
VERBS = ("加强", "推进", "完善", "规范", "加快", "优化", "进一步做好")


@dataclass
class Case:
    """One case as a sheet states it. `values` are by the keys of `sheet.COLUMNS`."""

    title: str
    situation: str
    analysis: str
    request: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> str:
        return (
            f"一、基本情况\n{self.situation}\n二、存在的问题及原因分析\n{self.analysis}\n三、具体建议\n{self.request}"
        )


@dataclass(frozen=True)
class Deputy:
    code: str
    name: str
    delegation: str
    party: str
    employer: str
    duty: str
    phone: str


def deputies(seed: int, count: int) -> list[Deputy]:
    """Deputies of whom no two have the same name."""
    chance = random.Random(seed)
    names: dict[str, None] = {}
    while len(names) < count:
        names[chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, chance.choice((1, 2, 2, 2))))] = None
    return [
        Deputy(
            f"G{number:04d}", name, DELEGATIONS[number % len(DELEGATIONS)], chance.choice(PARTIES), chance.choice(EMPLOYERS),
            chance.choice(DUTIES), f"139{chance.randrange(10**8):08d}",
        )
        for number, name in enumerate(names, start=1)
    ]  # fmt: skip


def _text(chance: random.Random, sentences: Sequence[str], matter: str, place: str, least: int) -> str:
    """Sentences until there are enough characters, no two paragraphs alike."""
    parts: list[str] = []
    while sum(map(len, parts)) < least:
        figure = chance.randrange(3, 98)
        opening = chance.choice(
            (
                f"近年来，{place}在{matter}方面做了大量工作，但{chance.choice(sentences)}。",
                f"据走访{place}{figure}个社区（村）了解，{chance.choice(sentences)}，约{figure}%的受访群众希望尽快改善。",
                f"在{matter}工作中，{chance.choice(sentences)}，这一问题在{place}尤为突出。",
                f"今年以来，有关{matter}的来电来信达{figure * 7}件，主要集中在{place}，{chance.choice(sentences)}。",
            )
        )
        parts.append(opening)
    return "".join(parts)


def _requests(chance: random.Random, asked: Sequence[str], matter: str, place: str) -> str:
    numbers = "一二三四"
    chosen = chance.sample(asked, chance.randrange(2, len(asked) + 1))
    return "\n".join(
        f"{numbers[at]}是{one}。建议由有关部门结合{place}实际，就{matter}提出时间表和责任人，并在办理过程中与代表沟通。"
        for at, one in enumerate(chosen)
    )


def cases(
    seed: int,
    count: int,
    *,
    organs: Sequence[str],
    people: Sequence[Deputy] | None = None,
    dispatched: float = 0.9,
    numbered: bool = True,
    first_day: date = date(2025, 9, 1),
    term: int = 15,
    session: int = 4,
) -> list[Case]:
    """`count` suggestions of a congress; a share of them is given to organs, the rest is filed, rejected or only registered."""
    chance = random.Random(seed)
    people = people or deputies(seed, max(60, count // 4))
    made = []
    for number in range(1, count + 1):
        name = chance.choice(list(FIELDS))
        matters, faults, asked = FIELDS[name]
        matter, place = chance.choice(matters), chance.choice(PLACES)
        stands = chance.sample(people, chance.choice((1, 1, 1, 2, 3, 4, 6)))
        case = Case(
            title=f"关于{chance.choice(VERBS)}{place}{matter}工作的建议（{number}）",
            situation=_text(chance, faults, matter, place, chance.randrange(100, 450)),
            analysis=_text(chance, faults, matter, place, chance.randrange(80, 350)),
            request=_requests(chance, asked, matter, place),
        )
        day = first_day + timedelta(days=chance.randrange(30))
        case.values = {
            "term": str(term),
            "session": str(session),
            "occasion": chance.choice(("会议期间", "会议期间", "平时")),
            "kind": "建议",
            "title": case.title,
            "case_no": str(number) if numbered else "",
            "form": "个人" if len(stands) == 1 else "联名",
            "cosigners": "；".join(f"{one.name}（{one.code}）" for one in stands[1:]),
            "category": name,
            "subcategory": matter,
            "body_file": f"{number:04d}.txt",
            "submitted_on": str(day),
            "is_public": "是",
            **_lead(stands[0]),
            **_fate(chance, organs, day, dispatched),
        }
        made.append(case)
    return made


def _lead(who: Deputy) -> dict[str, str]:
    names = ("delegation", "party", "employer", "duty", "phone")
    return {"lead_code": who.code, "lead": who.name, **{name: getattr(who, name) for name in names}}


def _fate(chance: random.Random, organs: Sequence[str], day: date, dispatched: float) -> dict[str, str]:
    """What became of a case so far."""
    if chance.random() >= dispatched:
        return chance.choice(({"filed": "是"}, {"filed": "否", "rejection": "内容空泛、没有具体意见建议"}, {}))
    chosen = chance.sample(list(organs), min(len(organs), chance.choice((1, 1, 2, 3))))
    return {
        "filed": "是",
        "lead_organ": chosen[0],
        "cohandlers": "；".join(chosen[1:]),
        "dispatched_on": str(day + timedelta(days=chance.randrange(5, 25))),
    }


# --- files --------------------------------------------------------------------------------------------------------------

KEYS = [key for key in TITLES if key not in {"body", "attachments", "lead_due", "cohandler_due"}]


def rows_of(made: Iterable[Case], keys: Sequence[str] = KEYS) -> list[list[Any]]:
    """The header and the rows of a sheet."""
    return [[TITLES[key] for key in keys], *([case.values.get(key) or None for key in keys] for case in made)]


def workbook(rows: Iterable[Sequence[Any]], **beside: Iterable[Sequence[Any]]) -> bytes:
    """A workbook of the cases, and of sheets beside them by their titles."""
    book = openpyxl.Workbook(write_only=True)
    for title, of_sheet in {"提案": rows, **beside}.items():
        sheet = book.create_sheet(title)
        for row in of_sheet:
            sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def packed(files: Mapping[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def archive(made: Sequence[Case]) -> bytes:
    """The sheet with the files of its bodies: each as its row names it, .txt or .docx."""
    files: dict[str, bytes | str] = {"建议.xlsx": workbook(rows_of(made))}
    for case in made:
        name = case.values["body_file"]
        files[f"正文/{name}"] = docx(case.title, case.body) if name.endswith(".docx") else case.body
    return packed(files)


_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_LINKS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)


def docx(title: str, body: str) -> bytes:
    """A Word file of these paragraphs, the least that one is."""
    lines = "".join(f"<w:p><w:r><w:t>{escape(line)}</w:t></w:r></w:p>" for line in (title, *body.split("\n")))
    document = (
        '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        f"<w:body>{lines}</w:body></w:document>"
    )
    return packed({"[Content_Types].xml": _TYPES, "_rels/.rels": _LINKS, "word/document.xml": document})
