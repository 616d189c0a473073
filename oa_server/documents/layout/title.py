"""Where a title breaks: lines centred under each other as a trapezoid or a rhombus, and no word torn (GB/T 9704-2012,
7.3.1).

There is no word segmenter behind this: the words below and the names the caller knows are kept whole, and a break
between unknown characters costs much. A drafter who disagrees puts a line feed into the title.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, pairwise

# Characters of 2号 that fit 156 mm: 20.1. Lines of a broken title stay shorter, or they would fill the type area.
SINGLE_LINE, BROKEN_LINE = 20.0, 18.0
SEARCHED_LINES = 4
# With more places to break than this, those that would tear a word are not even tried.
SEARCHED_PLACES = 40

# Words that titles are made of, after the titles of published documents. Longer words win.
WORDS = frozenset(
    """
    关于 印发 转发 批转 公布 发布 下达 调整 成立 设立 表彰 任免 废止 修改 修订 召开 开展 推进 推动 促进 加强 加快 深化
    做好 完善 健全 建立 规范 落实 实施 贯彻 强化 优化 提升 提高 扩大 支持 鼓励 保障 确保 防范 化解 整治 治理 清理 解决
    组织 进一步 全面 切实 有关 若干 部分 相关 重点 专项 年度 季度 实施方案 工作方案 行动计划 行动方案 管理办法 暂行办法
    暂行规定 实施细则 实施意见 指导意见 应急预案 若干措施 若干意见 若干规定 工作规则 工作要点 任务分工 办法 规定 细则
    方案 计划 规划 纲要 预案 措施 意见 通知 通报 决定 决议 请示 报告 批复 公告 通告 命令 议案 纪要 公报 函 条例 制度
    机制 体系 政策 标准 目录 清单 名单 事项 问题 情况 工作 任务 责任 目标 要点 人民政府 办公厅 办公室 委员会 领导小组
    指挥部 管理局 市政府 省政府 县政府 区政府 国务院 发展 改革 发展改革委 财政 教育 科学 技术 工业 信息 信息化 民政
    司法 人力资源 社会保障 自然资源 生态环境 住房 城乡 建设 交通 运输 水利 农业 农村 商务 文化 旅游 卫生 健康 应急 管理
    审计 国有资产 监督 监管 市场 体育 统计 医疗 医疗保障 金融 信访 数据 政务 服务 公共 机关 事务 安全 生产 消防 食品
    药品 质量 防汛 抗旱 防灾 减灾 救灾 森林 防火 防控 疫情 污染 环境 保护 节能 减排 碳达峰 碳中和 绿色 低碳 循环 经济
    社会 民营 企业 中小企业 小微企业 个体工商户 产业 数字 数字化 智能 创新 创业 就业 人才 投资 项目 招商 引资 营商
    营商环境 行政 审批 许可 执法 处罚 复议 公开 电子 公文 档案 保密 网络 系统 平台 资源 共享 交换 应用 试点 示范 示范区
    开发区 园区 城市 城镇 老旧 小区 老旧小区 改造 社区 基层 乡村 振兴 脱贫 攻坚 扶贫 土地 征收 补偿 安置 房屋 物业 养老
    托育 儿童 残疾人 退役 军人 妇女 青年 学校 学生 教师 义务教育 职业教育 高等 医院 公立 医药 卫生院 保险 养老保险 工资
    收入 税收 预算 决算 债务 资金 补助 补贴 采购 政府采购 统计调查 普查 人口 经济普查 国家 全国 全省 全市 全县 各级
    省级 市级 县级 春节 国庆节 劳动节 端午节 中秋节 元旦 节假日 放假 安排 期间 值班 五年 十四五 十五五 时期 高质量
    现代化 一体化 一件事 最多跑一次 统一 集中 联合 综合 协调 督查 督办 考核 评估 检查 验收 培训 会议 活动 宣传 先进
    校园 校车 追加 申请 商请 报送 提供 执行 资料 强降雨 无纸化 传输 应对
    集体 个人 单位 人员 干部 公务员 职务 地方 区域 流域 河长制 林长制 水库 移民 粮食 能源 电力 天然气 供应 价格 物流
    公路 铁路 航空 港口 轨道 道路 停车 垃圾 分类 试行 暂行 修正案 常务 全体
    """.split()  # noqa: SIM905 — a list of words reads best as words
)
_LONGEST = max(map(len, WORDS))
_UNIT = re.compile(
    r"《[^《》]{1,14}》|〔\d+〕\d+号?|\d[\d.—–~-]*(?:年度|[年月日个项号%％届次])?|[A-Za-z]+|（[^（）]{1,6}）"
)
_NEVER_FIRST = frozenset("的地得、，。：；？！》）〕”’·等")
_NEVER_LAST = frozenset("《（〔“‘第各")
_GOOD_BEFORE = frozenset({"关于", "和", "与", "及", "暨", "印发", "转发", "批转"})
_GOOD_AFTER = frozenset({"关于", "、", "，", "的"})
_TORN, _PLAIN, _GOOD = 5.0, 0.8, 0.0


def break_title(title: str, *, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The lines of `title`. `names` (organs, places) are kept whole where a line can hold them."""
    lines = [line.strip() for line in title.splitlines() if line.strip()]
    if len(lines) > 1:
        return tuple(lines)
    return _break(title.strip(), frozenset(names)) if lines else ()


@lru_cache(maxsize=512)
def _break(title: str, names: frozenset[str]) -> tuple[str, ...]:
    if width(title) <= SINGLE_LINE:
        return (title,)
    parts = _split(title, names)
    fewest = int(-(-width(title) // BROKEN_LINE))
    for count in range(fewest, SEARCHED_LINES + 1):
        if best := _best_lines(parts, count):
            return best
    return _greedy(parts)


def width(text: str) -> float:
    """In characters of the title's size; ASCII counts half."""
    return sum(0.5 if char.isascii() else 1.0 for char in text)


def _split(title: str, names: frozenset[str]) -> list[str]:
    """Words and units that stay whole; what is unknown falls into single characters."""
    known = WORDS | {name for name in names if width(name) <= BROKEN_LINE}
    longest = max(_LONGEST, *map(len, known))
    parts: list[str] = []
    at = 0
    while at < len(title):
        unit = _UNIT.match(title, at)
        size = len(unit[0]) if unit else next((n for n in range(longest, 1, -1) if title[at : at + n] in known), 1)
        parts.append(title[at : at + size])
        at += size
    return parts


def _best_lines(parts: Sequence[str], count: int) -> tuple[str, ...] | None:
    """The cheapest way to make `count` lines; None when a line would be too long in every one."""
    places = [at for at in range(1, len(parts)) if _break_cost(parts[at - 1], parts[at]) is not None]
    if len(places) > SEARCHED_PLACES:
        places = [at for at in places if (_break_cost(parts[at - 1], parts[at]) or 0) < _TORN]
    best: tuple[float, tuple[str, ...]] | None = None
    for breaks in combinations(places, count - 1):
        edges = (0, *breaks, len(parts))
        lines = tuple("".join(parts[a:b]) for a, b in pairwise(edges))
        widths = [width(line) for line in lines]
        if max(widths) > BROKEN_LINE:
            continue
        cost = _shape_cost(widths) + sum(_break_cost(parts[at - 1], parts[at]) or 0 for at in breaks)
        if best is None or cost < best[0]:
            best = cost, lines
    return best[1] if best else None


def _break_cost(before: str, after: str) -> float | None:
    """What it costs to break here; None where it is forbidden."""
    if after[0] in _NEVER_FIRST or before[-1] in _NEVER_LAST:
        return None
    if before in _GOOD_AFTER or after in _GOOD_BEFORE or before.endswith("》"):
        return _GOOD
    return _TORN if len(before) == 1 and len(after) == 1 else _PLAIN


def _shape_cost(widths: Sequence[float]) -> float:
    """Cheap are lines that grow, shrink, or swell in the middle, by steps that the eye sees and does not trip over."""
    steps = [b - a for a, b in pairwise(widths)]
    cost = sum(0.25 * abs(abs(step) - 3.0) for step in steps)
    turns = [(a > 0) - (a < 0) for a in steps]
    if any(first < 0 < second for first, second in pairwise(turns)):
        cost += 6.0  # an hourglass
    if min(widths) < 0.45 * max(widths):
        cost += 3.0
    return cost + (1.0 if 0 in turns else 0.0)


def _greedy(parts: Sequence[str]) -> tuple[str, ...]:
    """Very long titles: fill line after line at permitted places."""
    lines = [""]
    for at, part in enumerate(parts):
        allowed = at > 0 and _break_cost(parts[at - 1], part) is not None
        if lines[-1] and width(lines[-1] + part) > BROKEN_LINE and allowed:
            lines.append("")
        lines[-1] += part
    return tuple(lines)
