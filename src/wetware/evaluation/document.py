"""Document: a report once, as Markdown and as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass, field
from pathlib import Path

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.7rem;line-height:1.2}h2{font-size:1.2rem;margin-top:2.2rem}img{max-width:100%}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{border-bottom:2px solid #999}
code,pre{background:#f3f3f3;padding:.1rem .3rem;border-radius:3px}pre{padding:.7rem;overflow-x:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}th,td{border-color:#444}code,pre{background:#262626}
img{background:#fff}}
"""


@dataclass
class Document:
    """Blocks in order. Text may hold ``code``, **bold** and [links](...); nothing else is markup."""

    title: str
    blocks: list[tuple] = field(default_factory=list)

    def heading(self, text: str) -> None:
        self.blocks.append(("heading", text))

    def text(self, text: str) -> None:
        if text:
            self.blocks.append(("text", text))

    def points(self, texts: list[str]) -> None:
        if texts:
            self.blocks.append(("points", texts))

    def code(self, text: str) -> None:
        self.blocks.append(("code", text))

    def table(self, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """The first column stands to the left, figures to the right."""
        if rows:
            self.blocks.append(("table", columns, rows))

    def picture(self, file: Path, about: str) -> None:
        self.blocks.append(("picture", file, about))

    def markdown(self) -> str:
        """Pictures are linked by name: they lie beside it."""
        parts = [f"# {self.title}"]
        for kind, *content in self.blocks:
            if kind == "heading":
                parts.append(f"## {content[0]}")
            elif kind == "text":
                parts.append(content[0])
            elif kind == "points":
                parts.append("\n".join(f"- {text}" for text in content[0]))
            elif kind == "code":
                parts.append("\n".join(f"    {line}" for line in content[0].splitlines()))
            elif kind == "table":
                columns, rows = content
                lines = [columns, ("---",) + ("---:",) * (len(columns) - 1), *rows]
                parts.append("\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines))
            else:
                parts.append(f"![{content[1]}]({content[0].name})")
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """Pictures are inside."""
        parts = [f"<h1>{_inline(self.title)}</h1>"]
        for kind, *content in self.blocks:
            if kind == "heading":
                parts.append(f"<h2>{_inline(content[0])}</h2>")
            elif kind == "text":
                parts.append(f"<p>{_inline(content[0])}</p>")
            elif kind == "points":
                parts.append("<ul>" + "".join(f"<li>{_inline(text)}</li>" for text in content[0]) + "</ul>")
            elif kind == "code":
                parts.append(f"<pre>{html.escape(content[0])}</pre>")
            elif kind == "table":
                parts.append(_table(*content))
            else:
                parts.append(f'<img alt="{html.escape(content[1])}" src="{_inside(content[0])}">')
        head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><style>{_STYLE}</style>"
        head += f"<title>{html.escape(self.title)}</title>"
        return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>"


def _cell(text: str) -> str:
    """A table's cell is one line without the mark that ends it."""
    return " ".join(text.replace("|", "\\|").split()) or " "


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in columns)
    body = "".join("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _inline(text: str) -> str:
    text = html.escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', text)


def _inside(file: Path) -> str:
    kind = "svg+xml" if file.suffix == ".svg" else file.suffix.lstrip(".")
    return f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
