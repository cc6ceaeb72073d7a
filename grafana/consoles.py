"""The boards as pages of Prometheus itself, for who has no Grafana at hand.

Debian's Prometheus comes without a web interface, but it renders console templates: the
alerts that fire, and each panel's question with its present figures.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from grafana.generate import dashboards
from grafana.panels import BOARDS, as_json

RATE_INTERVAL = "1m"
ROWS = 12
"""The highest of a panel's series; a page is for a look, not for a search."""

_FORMATS = {
    "s": "humanizeDuration",
    "percentunit": "humanizePercentage",
    "bytes": "humanize1024",
    "Bps": "humanize1024",
}
_STYLE = (
    "body{background:#111;color:#ddd;font:14px/1.5 sans-serif;margin:2em;max-width:75em}"
    "a{color:#8cf;margin-right:1em}table{border-collapse:collapse}td{padding:0 1em 0 0}"
    "h3{margin:1.2em 0 0;font-size:1em}p{margin:0;color:#999}"
    "td.n{text-align:right;font-family:monospace;min-width:7em}.fires{color:#f66}"
)


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name of each page and its template."""
    for name, builder in dashboards().items():
        yield f"{name}.html", page(json.loads(as_json(builder)))


def page(board: Mapping[str, Any]) -> str:
    """Return the template of one board."""
    links = "".join(f'<a href="{uid}.html">{title}</a>' for uid, title in BOARDS.items())
    body = "".join(_section(panel) for panel in _panels(board))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta http-equiv="refresh" content="5">'
        f"<title>{html.escape(board['title'])}</title><style>{_STYLE}</style>"
        f"<nav>{links}</nav><h1>{html.escape(board['title'])}</h1>{_ALERTS}{body}</html>\n"
    )


_ALERTS = (
    '{{ with query `ALERTS{alertstate="firing"}` }}<ul class="fires">{{ range . }}'
    "<li>{{ .Labels.alertname }} ({{ .Labels.severity }}) {{ .Labels.pod }}</li>"
    "{{ end }}</ul>{{ else }}<p>No alert fires.</p>{{ end }}"
)


def _panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for panel in board["panels"]:
        # How a histogram is spread is no table; the quantiles beside it are.
        if panel["type"] not in ("row", "heatmap"):
            yield panel
        yield from _panels(panel) if panel.get("panels") else ()


def _section(panel: Mapping[str, Any]) -> str:
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")
    value = f"{{{{ .Value | {_FORMATS.get(unit, 'humanize')} }}}}"
    rows = "".join(_rows(target, value) for target in panel["targets"])
    title, text = html.escape(panel["title"]), html.escape(panel.get("description", ""))
    return f"<h3>{title}</h3><p>{text}</p><table>{rows}</table>\n"


def _rows(target: Mapping[str, Any], value: str) -> str:
    filled = target["expr"].replace("$__rate_interval", RATE_INTERVAL)
    for variable in ("cluster", "namespace", "job", "pod"):
        filled = filled.replace(f"${variable}", ".*")
    return (
        f"{{{{ range query `topk({ROWS}, {filled})` }}}}"
        f'<tr><td class="n">{value}</td><td>{_words_of(target)} '
        "{{ range $name, $is := .Labels }}"
        '{{ if and (ne $name "__name__") (ne $name "job") (ne $name "namespace") }}'
        "{{ $name }} {{ $is }}  {{ end }}{{ end }}</td></tr>{{ end }}"
    )


def _words_of(target: Mapping[str, Any]) -> str:
    """Return what the legend says beside labels, such as the window of a burn rate."""
    return html.escape(re.sub(r"\{\{.*?\}\}", "", target.get("legendFormat", "")).strip())
