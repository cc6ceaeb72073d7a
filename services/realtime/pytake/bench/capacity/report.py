"""What `pytake bench capacity` prints."""

from dataclasses import asdict, replace
from typing import Any

from pytake.bench.capacity.costs import Costs
from pytake.bench.capacity.simulation import Event, Outcome, Situation, play, pods_needed
from pytake.bench.capacity.sizing import Demand, Limits, Sizing, size

EVENTS: tuple[Event, ...] = ("deploy", "pod loss", "storm")


def situation_of(sizing: Sizing, costs: Costs, **more: Any) -> Situation:
    """Return the gateways of a sizing as the simulation wants them."""
    gateway = sizing.part("gateway")
    return Situation(
        connections=sizing.demand.connections,
        pods=gateway.count,
        connect_us=costs.gateway_connect_us,
        busy_share=gateway.cores / gateway.count,
        **more,
    )


def capacity(
    demand: Demand,
    costs: Costs,
    limits: Limits,
    *,
    whole_within_seconds: float,
    **situation: Any,
) -> tuple[str, dict[str, Any]]:
    """Return the text, and the same for machines."""
    sizing = size(demand, costs, limits)
    ordinary = situation_of(sizing, costs, **situation)
    outcomes = [play(event, ordinary) for event in EVENTS]
    needed = pods_needed(ordinary, whole_within_seconds)
    lines = [
        f"{demand.connections:,} connections, {demand.messages_per_second:,.0f} messages a second, "
        f"{demand.viewers:g} viewers and {demand.list_watchers:g} watchers of the list each",
        f"costs measured on {costs.measured_on}",
        "",
        *_parts(sizing),
        "",
        *_flows(sizing),
        "",
        *_outcomes(outcomes),
        "",
        _headroom(ordinary, needed, whole_within_seconds),
    ]
    found = {
        "demand": asdict(demand),
        "costs": asdict(costs),
        "parts": [asdict(part) for part in sizing.parts],
        "situation": asdict(ordinary),
        "outcomes": [asdict(outcome) for outcome in outcomes],
        "pods_for_storm": needed,
        "whole_within_seconds": whole_within_seconds,
    }
    return "\n".join(lines), found


def _parts(sizing: Sizing) -> list[str]:
    lines = [f"{'':18}{'count':>7}{'cores in all':>14}{'MB each':>9}  bound by"]
    for part in sizing.parts:
        memory = f"{part.memory_mb_each:,.0f}" if part.memory_mb_each else "–"
        lines.append(
            f"{part.name:18}{part.count:>7,}{part.cores:>14.2f}{memory:>9}  {part.bound_by}"
        )
    return lines


def _flows(sizing: Sizing) -> list[str]:
    return [
        f"deliveries {sizing.deliveries_per_second:,.0f}/s, list changes "
        f"{sizing.list_changes_per_second:,.0f}/s, {sizing.megabits_out:,.0f} Mbit/s to clients",
        f"PostgreSQL {sizing.postgres_commits_per_second:,.0f} messages/s (fewer commits: waiting "
        f"messages share one), {sizing.postgres_wal_mb_per_second:,.2f} MB of WAL a second",
    ]


def _outcomes(outcomes: list[Outcome]) -> list[str]:
    titles = ("", "handshakes", "peak/s", "half s", "99 % s", "whole s", "p99 wait s", "peak core")
    widths = (10, 12, 10, 9, 9, 9, 12, 11)
    lines = ["".join(f"{t:>{w}}" if t else f"{t:{w}}" for t, w in zip(titles, widths, strict=True))]
    for each in outcomes:
        cells = (
            f"{each.handshakes:,}",
            f"{each.peak_handshakes_per_second:,.0f}",
            # A deploy moves clients one by one: how long each was away is what counts.
            f"{each.seconds_to_half:.1f}",
            f"{each.seconds_to_99_percent:.1f}",
            f"{each.seconds_to_whole:.1f}",
            f"{each.wait_p99_seconds:.2f}",
            f"{each.peak_pod_share:.0%}",
        )
        line = f"{each.event:10}"
        line += "".join(f"{c:>{w}}" for c, w in zip(cells, widths[1:], strict=True))
        lines.append(line)
        if each.refusals or each.given_up:
            lines.append(f"{'':10}  {each.refusals:,} refused with 503, {each.given_up:,} gave up")
    return lines


def _headroom(ordinary: Situation, needed: int, seconds: float) -> str:
    if needed <= ordinary.pods:
        return f"{ordinary.pods} gateways bring everybody back within {seconds:g} s"
    alternative = replace(ordinary, pods=needed)
    return (
        f"for everybody to be back within {seconds:g} s: {alternative.pods:,} gateways instead of "
        f"{ordinary.pods:,}"
    )
