"""What people read of a run: a live line, a table, and a page with plots."""

import html
from collections.abc import Iterable, Sequence
from typing import Any

from pytake.bench.result import Result
from pytake.bench.swarm import Timing

FIGURES = {
    "per_second": "{operations} a second",
    "published_per_second": "messages published a second",
    "p50_ms": "p50, ms",
    "p90_ms": "p90, ms",
    "p99_ms": "p99, ms",
    "p999_ms": "p99.9, ms",
    "max_ms": "slowest, ms",
    "back_half_seconds": "half are back after, s",
    "back_99_seconds": "99 % are back after, s",
    "back_all_seconds": "all are back after, s",
    "peak_connects_per_second": "connects in the busiest second",
    "refusals": "refused for now (503)",
    "replayed": "missed messages replayed",
    "request_p50_ms": "request answered p50, ms",
    "request_p99_ms": "request answered p99, ms",
    "server_us_per_op": "server CPU, µs a {operation}",
    "server_us_per_message": "server CPU, µs a message published",
    "server_us_per_frame": "server CPU, µs a frame",
    "generator_us_per_frame": "generator CPU, µs a frame",
    "server_core": "server CPU, cores",
    "generator_core": "busiest generator, cores",
    "server_mb": "server memory, MB",
    "server_kb_per_connection": "server memory, KB a connection",
}


def number(value: float | None) -> str:
    """Return it with three digits that matter."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def live_line(tick: dict[str, Any], before: dict[str, Any] | None, timing: Timing) -> str:
    """Return the state of a run in one line."""
    counts = tick["counts"]
    times = tick["times"]
    parts = [f"{tick['ready']:,} connected"]
    if counts["deliveries"]:
        parts.append(f"{counts['deliveries']:,} deliveries/s")
    if counts["answers"]:
        parts.append(f"{counts['answers']:,} answers/s")
    if counts["requests"]:
        parts.append(f"{counts['ok_answers']:,} requests/s")
    if times.total():
        parts.append(f"p50 {number(times.quantile(0.5))} ms")
        parts.append(f"p99 {number(times.quantile(0.99))} ms")
    failed = counts["bad_answers"] + counts["limited_answers"] + counts["lost"] + counts["refused"]
    if failed:
        parts.append(f"{failed} failures")
    if before is not None and tick["monotonic"] > before["monotonic"]:
        spent = tick["server_cpu_seconds"] - before["server_cpu_seconds"]
        if spent > 0:
            core = spent / (tick["monotonic"] - before["monotonic"])
            parts.append(f"server {core:.0%} of a core, {tick['server_mb']:.0f} MB")
    return "  ".join(parts)


def title_of(name: str, result: Result) -> str:
    """Return what people call a figure of this run."""
    operation = result.operation
    plural = operation[:-1] + "ies" if operation.endswith("y") else operation + "s"
    return FIGURES[name].format(operation=operation, operations=plural)


def rows(result: Result) -> list[tuple[str, ...]]:
    """Return title, median, least and greatest of each figure."""
    spread = result.spread()
    return [
        (title_of(name, result), *map(number, spread[name])) for name in FIGURES if name in spread
    ]


def table(result: Result) -> str:
    """Return the figures as text."""
    runs = len(result.repetitions)
    head = f"{result.scenario} against {result.target}: "
    head += f"{result.shape['connections']:,} connections, {result.shape['rooms']:,} rooms, "
    head += f"{runs} repetition{'s' * (runs != 1)}, generator in {result.engine}"
    lines = [head, ""]
    titles = ("", "median", "least", "greatest")
    body = [titles, *rows(result)]
    widths = [max(len(row[column]) for row in body) for column in range(4)]
    for row in body:
        numbers = "  ".join(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))
        lines.append(f"{row[0].ljust(widths[0])}  {numbers}")
    lines += [""] + [f"! {warning}" for warning in result.warnings()]
    return "\n".join(lines).rstrip()


# --- the page ----------------------------------------------------------------------------

_COLORS = ("#1f6feb", "#d1570a", "#2da44e")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 200, 56, 24


def page(results: Sequence[Result], about: str = "") -> str:
    """Return a page of HTML that needs nothing else."""
    sections = "".join(_section(result) for result in results)
    title = ", ".join(dict.fromkeys(result.scenario for result in results))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>pytake bench: {html.escape(title)}</title>
<style>{_STYLE}</style></head>
<body><h1>pytake bench: {html.escape(title)}</h1><p>{html.escape(about)}</p>{sections}</body></html>
"""


def _section(result: Result) -> str:
    body = "".join(
        f"<tr><th>{html.escape(title)}</th>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for title, *cells in rows(result)
    )
    shape = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.shape.items())
    warnings = "".join(f"<li>{html.escape(each)}</li>" for each in result.warnings())
    return f"""<section><h2>{html.escape(result.label or result.scenario)}
<small>against {html.escape(result.target)}</small></h2>
<table><thead><tr><th></th><th>median</th><th>least</th><th>greatest</th></tr></thead>
<tbody>{body}</tbody></table>
<ul class="warnings">{warnings}</ul><div class="plots">{_plots(result)}</div>
<details><summary>How it was run</summary><p>{html.escape(shape)}; generator in
{html.escape(result.engine)}, {result.processes} process(es)</p></details></section>"""


def _plots(result: Result) -> str:
    ticks = result.ticks
    if len(ticks) < 2:
        return ""
    operations = {"a second": [tick["operations"] for tick in ticks]}
    latency = {name: [tick[f"{name}_ms"] for tick in ticks] for name in ("p50", "p99")}
    plots = [
        plot(title_of("per_second", result).capitalize(), operations),
        plot("Latency, ms", latency),
        plot("Connections", {"open": [tick["ready"] for tick in ticks]}),
    ]
    if result.server_names:
        plots.append(plot("Server CPU, cores", {"cores": [t["server_core"] for t in ticks]}))
        plots.append(plot("Server memory, MB", {"MB": [t["server_mb"] for t in ticks]}))
    plots.append(_quantile_plot(result))
    return "".join(plots)


def _quantile_plot(result: Result) -> str:
    """Latency by share of operations, a line for each repetition."""
    shares = [n / 100 for n in range(100)] + [0.995, 0.999]
    lines = {
        f"#{number + 1}": [each.times[each.timing.name].quantile(share) for share in shares]
        for number, each in enumerate(result.repetitions[:3])
    }
    return plot("Latency by percentile, ms", lines, last="100 %", first="0 %")


def plot(
    title: str,
    lines: dict[str, list[float | None]] | dict[str, list[Any]],
    *,
    first: str = "0 s",
    last: str = "",
) -> str:
    """Return lines over time as SVG; gaps where there was nothing."""
    count = max(len(values) for values in lines.values())
    top = max((v for values in lines.values() for v in values if v is not None), default=0) or 1
    inner_width, inner_height = _WIDTH - _LEFT - 8, _HEIGHT - _BOTTOM - 12

    def x_of(index: int) -> float:
        return _LEFT + inner_width * index / max(1, count - 1)

    def y_of(value: float) -> float:
        return 12 + inner_height * (1 - value / top)

    parts = []
    for step in range(3):
        value = top * step / 2
        y = y_of(value)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>'
        )
    for color, values in zip(_COLORS, lines.values(), strict=False):
        for stretch in _stretches(values):
            points = " ".join(f"{x_of(i):.1f},{y_of(v):.1f}" for i, v in stretch)
            parts.append(f'<polyline points="{points}" stroke="{color}"/>')
            parts += [
                f'<circle cx="{x_of(i):.1f}" cy="{y_of(v):.1f}" r="2" fill="{color}"/>'
                for i, v in (stretch if len(stretch) == 1 else ())
            ]
    legend = " ".join(
        f'<tspan fill="{color}" dx="8">{html.escape(name)}</tspan>'
        for color, name in zip(_COLORS, lines, strict=False)
    )
    end = last or f"{count - 1} s"
    bottom = _HEIGHT - 6
    return (
        f"<figure><figcaption>{html.escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        + "".join(parts)
        + f'<text x="{_LEFT}" y="{bottom}">{first}</text>'
        f'<text x="{_WIDTH - 8}" y="{bottom}" text-anchor="end">{end}</text>'
        f'<text x="{_WIDTH / 2}" y="{bottom}" text-anchor="middle">{legend}</text></svg></figure>'
    )


def _stretches(values: Iterable[float | None]) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is not None:
            found[-1].append((index, value))
        elif found[-1]:
            found.append([])
    return [stretch for stretch in found if stretch]


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1360px; margin: 2rem auto; padding: 0 1rem;
       color: #1c2128; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
small { color: #57606a; font-weight: normal; }
table { border-collapse: collapse; } th { text-align: left; font-weight: normal; }
th, td { padding: .15rem .9rem .15rem 0; border-bottom: 1px solid #d8dee4; }
thead th { color: #57606a; } td { text-align: right; font-variant-numeric: tabular-nums; }
.warnings { color: #9a4b00; } .plots { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 400px; } figcaption { font-weight: 600; }
svg { width: 100%; } svg text { font-size: 11px; fill: #57606a; }
polyline { fill: none; stroke-width: 1.6; } .grid { stroke: #d8dee4; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  body { color: #d1d7e0; background: #0d1117; } small, thead th { color: #9198a1; }
  th, td { border-color: #3d444d; } .grid { stroke: #3d444d; } svg text { fill: #9198a1; }
  .warnings { color: #e0a15a; }
}
"""
