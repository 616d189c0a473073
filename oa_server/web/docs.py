"""The API description as a page for people: the operations of departments' systems, in Chinese, without any script.

It is made from the OpenAPI document alone, so that it says what `/openapi.json` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse
from starlette.routing import Route

from oa_server.web.endpoint import DEPARTMENTS, FORM, Access, Binary, Call, endpoint, resource

STYLE = (Path(__file__).parent / "docs.css").read_text("utf-8")
# What a field is called in Chinese: under /api/v1 a name means one thing, wherever it stands.
FIELD_TITLES: dict[str, str] = json.loads((Path(__file__).parent / "field_titles.json").read_text("utf-8"))
HTML = Binary("text/html")

GROUPS = {
    "identity": "登录和机关目录",
    "documents": "发文和收文",
    "files": "附件",
    "departments": "事件和推送",
}
# Whose refusals a system may meet.
MET_BY_SYSTEMS = {"core", "web", "storage", "identity", "files", "workflow", "documents", "departments"}
PLACES = {"path": "路径", "query": "查询", "header": "请求头"}
TYPES = {"string": "文字", "integer": "整数", "boolean": "是或否", "object": "对象", "null": "空"}
FORMATS = {"uuid": "UUID", "date": "日期", "date-time": "时间", "binary": "字节"}
STATUSES = {
    "400": "请求无法读取",
    "401": "没有令牌，或令牌已失效",
    "403": "没有这项权限",
    "404": "没有找到，或无权查看",
    "409": "状态不允许，或他人先做了",
    "410": "已过时效",
    "412": "读取之后已被更改",
    "413": "内容过大",
    "415": "内容类型不符",
    "421": "主机名不符",
    "422": "内容有误",
    "428": "没有写明读到的版本",
    "429": "请求过于频繁",
    "500": "系统内部错误",
    "503": "暂时不可用，什么也没有改变",
}
INTRODUCTION = f"""
<p>供部门业务系统使用，版本在路径中（<code>{DEPARTMENTS}</code>）。只会增加操作、可选字段和应答字段，不会减少；\
遇到不认识的应答字段、取值和错误代码时，请忽略或按一般情况处理。机器可读的说明：<a href="/openapi.json">OpenAPI 3.1</a>。</p>
<ul>
<li><b>登录</b>：系统由系统管理员登记、安全管理员批准。用登记的私钥签一份断言，换取访问令牌，之后每个请求带
<code>Authorization: Bearer 令牌</code>。</li>
<li><b>写操作</b>：带 <code>Idempotency-Key</code>；重试时用同一个键和同样的内容，操作只做一次。</li>
<li><b>修改</b>：带 <code>If-Match</code>，其值是读取时的 <code>ETag</code>；期间有人改过，得到 412，请重新读取。</li>
<li><b>分页</b>：应答的 <code>next</code> 不为空时，把它作为 <code>cursor</code> 再取下一页。</li>
<li><b>限额</b>：见应答头 <code>RateLimit-*</code>；得到 429 或 503 时，等待 <code>Retry-After</code> 秒后重试。</li>
<li><b>错误</b>：一律为 <code>application/problem+json</code>（RFC 9457），以 <code>code</code> 区分，\
见<a href="#problems">错误代码</a>。</li>
<li><b>示例</b>取自真实的往来；列表只列前两项，过长的文字以“…”截断。</li>
</ul>"""


def met_by_systems(code: str) -> bool:
    """Whether a system may be refused with this problem code."""
    return code.partition(".")[0] in MET_BY_SYSTEMS


def page_of(document: dict[str, Any]) -> str:
    """The page that shows the operations under `/api/v1` of an OpenAPI document."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {name: [] for name in GROUPS}
    for path, methods in document["paths"].items():
        if path.startswith(DEPARTMENTS + "/"):
            for method, operation in methods.items():
                groups[operation["tags"][0]].append((method.upper(), path, operation))
    shapes = document["components"]["schemas"]
    operations = [one for group in groups.values() for one in group]
    used = sorted(_reached([operation for _, _, operation in operations], shapes))
    problems = {code: said["zh"] for code, said in document["x-problems"].items() if met_by_systems(code)}
    info = document["info"]
    return f"""<!DOCTYPE html>
<html lang="zh-CN">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(info["title"])}</title>
<style>{STYLE}</style></head>
<body>
<nav aria-label="目录">{"".join(_contents(name, group) for name, group in groups.items())}
<h2>其他</h2><ul><li><a href="#shapes">数据结构</a></li><li><a href="#problems">错误代码</a></li></ul></nav>
<main>
<h1>{escape(info["title"])}</h1><p>版本 {escape(info["version"])}</p>
{INTRODUCTION}
{"".join(_group(name, group) for name, group in groups.items())}
<h2 id="shapes">数据结构</h2>
{"".join(_shape(name, shapes[name]) for name in used)}
<h2 id="problems">错误代码</h2>
{_table(("代码", "含义"), ((_code(code), escape(said)) for code, said in problems.items()))}
</main>
</body>
</html>
"""


def _contents(name: str, group: list[tuple[str, str, dict[str, Any]]]) -> str:
    lines = [
        f'<li><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a></li>' for *_, operation in group
    ]
    return f"<h2>{GROUPS[name]}</h2><ul>{''.join(lines)}</ul>"


def _group(name: str, group: list[tuple[str, str, dict[str, Any]]]) -> str:
    return f'<h2 id="{name}">{GROUPS[name]}</h2>{"".join(_operation(*one) for one in group)}'


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    scopes = [scope for way in operation.get("security", ()) for scope in way.get("client", ())]
    refusals = sorted(status for status in operation["responses"] if status >= "400")
    parts = [
        f'<section aria-labelledby="{operation["operationId"]}">',
        f'<h3 id="{operation["operationId"]}">{escape(operation["summary"])}</h3>',
        f'<p><span class="method">{method}</span>{_code(path)}</p>',
        f"<p>权限范围：{_code(scopes[0])}</p>" if scopes else "<p>不需要令牌</p>",
        _parameters(operation["parameters"]),
        _body("请求", operation.get("requestBody", {}).get("content", {})),
        *(
            _body(f"应答 {status}", answer.get("content", {}), "没有内容")
            for status, answer in operation["responses"].items()
            if status < "400"
        ),
        "<h4>拒绝</h4>",
        f"<p>{'；'.join(f'{status} {STATUSES[status]}' for status in refusals)}</p>",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _parameters(parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = (
        (
            _code(one["name"]),
            PLACES[one["in"]],
            _kind(one["schema"]),
            _need(one["required"]),
            escape(FIELD_TITLES.get(one["name"], "")) + (f"，例 {_code(one['example'])}" if "example" in one else ""),
        )
        for one in parameters
    )
    return "<h4>参数</h4>" + _table(("名称", "位置", "类型", "必填", "说明"), rows)


def _body(title: str, content: dict[str, Any], otherwise: str = "") -> str:
    if not content:
        return otherwise and f"<h4>{title}</h4><p>{otherwise}</p>"
    ((media_type, one),) = content.items()
    kind = "表单" if media_type == FORM.media_type else _kind(one["schema"])
    said = f"<h4>{title}</h4><p>{_code(media_type)}：{kind}</p>"
    if "example" not in one:
        return said
    example = one["example"]
    text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False, indent=2)
    return f"{said}<details><summary>{title.partition(' ')[0]}示例</summary><pre>{escape(text)}</pre></details>"


def _shape(name: str, schema: dict[str, Any]) -> str:
    title = f'<h3 id="shape-{name}">{name}</h3>'
    if "properties" not in schema:
        return f"{title}<p>{_kind(schema)}</p>"
    required = schema.get("required", ())
    rows = (
        (_code(field), _kind(value), _need(field in required), escape(FIELD_TITLES.get(field, "")) + _limits(value))
        for field, value in schema["properties"].items()
    )
    return title + _table(("字段", "类型", "必填", "说明"), rows)


def _kind(schema: dict[str, Any]) -> str:
    """The type in words; shapes are links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#shape-{name}">{name}</a>'
    if "anyOf" in schema:
        return " 或 ".join(_kind(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return "、".join(_code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"列表：{_kind(schema['items'])}"
    return FORMATS.get(schema.get("format", "")) or TYPES.get(schema.get("type", ""), "任意值")


def _limits(schema: dict[str, Any]) -> str:
    """What else is asked of a value, and what holds where it is left out."""
    values = {**next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), {}), **schema}
    words = {"maxLength": "最多 {} 字", "maxItems": "最多 {} 项", "minimum": "不小于 {}", "maximum": "不大于 {}"}
    said = [word.format(values[name]) for name, word in words.items() if name in values]
    if values.get("default") not in (None, "", [], {}):
        said.append(f"默认 {_code(values['default'])}")
    return "".join(f"；{one}" for one in said)


def _reached(start: Any, shapes: dict[str, Any]) -> set[str]:
    """The names of all shapes that are spoken of, directly or in other shapes."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for ref in _refs(waiting.pop()):
            name = ref.rpartition("/")[2]
            if name not in found:
                found.add(name)
                waiting.append(shapes[name])
    return found


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table whose first column names its rows. Cells are HTML already."""
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    lines = (
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _need(required: bool) -> str:
    return "是" if required else "否"


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"<code>{escape(text)}</code>"


def docs_route(document: Callable[[], dict[str, Any]]) -> Route:
    """Serves the page at `/api/docs`, to everybody, as the description itself."""
    page = cache(lambda: page_of(document()))

    @endpoint(summary="接口说明（网页）", returns=HTML, access=Access.OPEN)
    async def docs(call: Call[None]) -> HTMLResponse:
        return HTMLResponse(page())

    return resource("/api/docs", GET=docs)
