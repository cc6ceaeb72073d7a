"""How our panels look: the title is a question, with a unit, a description and its limits.

Queries are written with `{scope}` in place of the selectors that the variables of the
board make, and `[range]` for Grafana's own rate interval:

    graph("How many are connected?", ("sum(pytake_connections{scope})", "open"), …)
"""

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Query = tuple[str, str]
"""A PromQL expression and the legend of its series."""

DATASOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
JOB = 'cluster=~"$cluster",namespace=~"$namespace",job=~"$job"'
SCOPE = f'{JOB},pod=~"$pod"'
RATE_INTERVAL = "$__rate_interval"
BOARDS = {
    "pytake-overview": "Overview",
    "pytake-pod": "Pod",
    "pytake-backplane": "Backplane and edge",
    "pytake-rollout": "Rollout",
    "pytake-whatsapp": "WhatsApp",
}


def expand(expr: str) -> str:
    """Return the expression with selectors and rate interval filled in."""
    filled = expr.replace("{scope", "{" + SCOPE).replace("{job", "{" + JOB)
    return " ".join(filled.replace("[range]", f"[{RATE_INTERVAL}]").split())


def graph(
    title: str,
    *queries: Query,
    unit: str,
    description: str,
    limit: float | None = None,
    limits: tuple[float, ...] = (),
    stacked: bool = False,
    span: int = 8,
) -> timeseries.Panel:
    """Return lines over time, with a dashed line at each limit at which an alert fires."""
    limits = limits or ((limit,) if limit is not None else ())
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .span(span)
        .height(8)
        .fill_opacity(30 if stacked else 8)
        .legend(common.VizLegendOptions().show_legend(True))
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if limits:
        panel.thresholds(_thresholds(limits))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    for number, (expr, legend) in enumerate(queries):
        panel.with_target(_target(expr, legend, chr(ord("A") + number), exemplar="_bucket" in expr))
    return panel


def number(
    title: str,
    expr: str,
    *,
    unit: str,
    description: str,
    limits: tuple[float, ...] = (),
    below_is_bad: bool = False,
    legend: str = "",
    span: int = 4,
) -> stat.Panel:
    """Return one figure, red beyond its limits."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(span)
        .height(4)
        .with_target(_target(expr, legend, "A").instant())
    )
    return panel.thresholds(_thresholds(limits, below_is_bad=below_is_bad))


def heat(title: str, expr: str, *, unit: str, description: str, span: int = 8) -> heatmap.Panel:
    """Return how a histogram is spread over time; the query gives increases by `le`."""
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(span)
        .height(8)
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges"))
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .with_target(_target(expr, "{{le}}", "A", exemplar=True).format(PromQueryFormat.HEATMAP))
    )


def quantile(level: float, histogram: str, *, by: str = "", selector: str = "") -> str:
    """Return a quantile of a histogram in the scope of the board."""
    labels = f"le,{by}" if by else "le"
    return (
        f"histogram_quantile({level}, "
        f"sum by ({labels}) (rate({histogram}_bucket{{scope{selector}}}[range])))"
    )


def rate(counter: str, *, by: str, selector: str = "") -> str:
    """Return the rate of a counter, summed by a label."""
    return f"sum by ({by}) (rate({counter}{{scope{selector}}}[range]))"


def board(uid: str, purpose: str) -> dashboard.Dashboard:
    """Return an empty dashboard with our variables, annotations and links."""
    found = (
        dashboard.Dashboard(f"Realtime / {BOARDS[uid]}")
        .uid(uid)
        .description(purpose)
        .tags(["pytake"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
    )
    for name, of in (
        ("cluster", 'pytake_build_info{job=~".+"}'),
        ("namespace", 'pytake_build_info{cluster=~"$cluster"}'),
        ("job", 'pytake_build_info{cluster=~"$cluster",namespace=~"$namespace"}'),
        ("pod", f"pytake_build_info{{{JOB}}}"),
    ):
        found.with_variable(_variable(name, of))
    for other, title in BOARDS.items():
        if other != uid:
            link = dashboard.DashboardLink(title).type(DashboardLinkType.LINK)
            found.link(link.url(f"/d/{other}").keep_time(True).include_vars(True))
    for annotation in ANNOTATIONS:
        found.annotation(_annotation(*annotation))
    return found


ANNOTATIONS = (
    (
        "Releases",
        "blue",
        "count by (version) (pytake_build_info{job}) unless "
        "count by (version) (pytake_build_info{job} offset 5m)",
    ),
    ("Drains", "purple", "sum by (pod) (pytake_draining{job}) > 0"),
    ("Alerts", "red", 'ALERTS{alertname=~"Pytake.+",alertstate="firing"}'),
)


def row(title: str) -> dashboard.Row:
    return dashboard.Row(title)


def as_json(found: dashboard.Dashboard) -> str:
    """Return the dashboard as stable text."""
    return JSONEncoder(sort_keys=True, indent=2).encode(found.build()) + "\n"


def _target(expr: str, legend: str, ref: str, *, exemplar: bool = False) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(expand(expr)).ref_id(ref).legend_format(legend)
    return target.exemplar(True) if exemplar else target


def _thresholds(
    limits: tuple[float, ...], *, below_is_bad: bool = False
) -> dashboard.ThresholdsConfig:
    fine, bad = ("red", "green") if below_is_bad else ("green", "red")
    steps = [Threshold(value=None, color=fine)]
    steps += [Threshold(value=limit, color=bad) for limit in sorted(limits)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _variable(name: str, of: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(DATASOURCE)
        .query({"query": f"label_values({of}, {name})", "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(text="All", value="$__all", selected=True))
    )


def _annotation(name: str, color: str, expr: str) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .icon_color(color)
        .expr(expand(expr))
        .enable(True)
    )
