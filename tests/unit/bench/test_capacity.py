"""Sizes follow from costs, and the simulation agrees with what can be worked out by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytake.bench.capacity import simulation
from pytake.bench.capacity.costs import Costs, measured, read, write
from pytake.bench.capacity.report import capacity
from pytake.bench.capacity.simulation import Situation, play, pods_needed
from pytake.bench.capacity.sizing import Demand, Limits, gateway_cores, size

COSTS = Costs(
    measured_on="made up",
    gateway_connect_us=1000,
    gateway_idle_us_per_connection_second=2,
    gateway_message_us=100,
    gateway_delivery_us=5,
    gateway_event_us=20,
    gateway_base_mb=120,
    gateway_kb_per_connection=10,
    api_message_us=2000,
    relay_message_us=50,
    redis_message_us=50,
    redis_connect_us=50,
    postgres_message_us=500,
    postgres_wal_bytes_per_message=2048,
    nginx_connect_us=700,
    nginx_frame_us=8,
    nginx_kb_per_connection=40,
    message_bytes=600,
    list_bytes=700,
)
DEMAND = Demand(connections=100_000, messages_per_second=500)
CALM = Situation(connections=2000, pods=1, connect_us=1000, spread_seconds=0, tries_of_proxy=1)


def test_each_part_follows_from_its_own_cost() -> None:
    sizing = size(DEMAND, COSTS)

    assert sizing.part("api").cores == pytest.approx(500 * 2000e-6)
    assert sizing.part("api").count == 2  # a core, at most 60 % of each
    assert sizing.part("PostgreSQL cores").cores == pytest.approx(0.25)
    assert sizing.part("gateway").count == 11  # ten hold them, and one may be away
    assert sizing.postgres_wal_mb_per_second == pytest.approx(500 * 2048 / 2**20)
    assert sizing.deliveries_per_second == 1000


def test_memory_and_processor_may_ask_for_more_pods_than_the_limit_of_connections() -> None:
    small_pods = size(DEMAND, COSTS, Limits(pod_memory_mb=256))
    busy = size(replace(DEMAND, messages_per_second=50_000), COSTS)

    assert small_pods.part("gateway").bound_by == "memory"
    assert busy.part("gateway").bound_by == "processor"
    assert busy.part("gateway").cores / busy.part("gateway").count <= Limits().core_share


def test_more_pods_share_a_message_only_until_every_viewer_has_his_own() -> None:
    costs = [gateway_cores(DEMAND, COSTS, pods) for pods in (1, 2, 10, 1000)]

    assert costs == sorted(costs)
    touched = (costs[3] - costs[0]) / (500 * 100e-6)
    assert touched == pytest.approx(DEMAND.viewers - 1, rel=0.01)


def test_a_storm_on_one_pod_lasts_as_long_as_all_handshakes_one_after_the_other() -> None:
    situation = replace(CALM, handshake_rate=1e9, client_patience_seconds=1e9)

    storm = play("storm", situation)

    assert storm.seconds_to_whole == pytest.approx(2.0)
    assert storm.seconds_to_half == pytest.approx(1.0, rel=0.01)
    assert storm.handshakes == 2000
    assert play("storm", replace(situation, busy_share=0.5)).seconds_to_whole == pytest.approx(4.0)


def test_two_pods_on_two_cores_need_half_and_on_one_core_the_same() -> None:
    two = replace(CALM, pods=2, handshake_rate=1e9, client_patience_seconds=1e9)

    assert play("storm", two).seconds_to_whole == pytest.approx(1.0, rel=0.1)
    assert play("storm", replace(two, cores=1)).seconds_to_whole == pytest.approx(2.0)


def test_the_door_lets_in_no_more_than_its_rate() -> None:
    storm = play("storm", replace(CALM, connections=1000, handshake_rate=100))

    assert storm.refusals > 0
    assert storm.peak_handshakes_per_second <= 200  # a burst, and a second's worth
    assert storm.seconds_to_whole >= 9
    assert storm.handshakes == 1000


def test_clients_without_patience_make_the_pod_work_for_nothing() -> None:
    patient = replace(CALM, connections=3000, handshake_rate=1e9, client_patience_seconds=60)
    impatient = replace(patient, client_patience_seconds=1)

    assert play("storm", patient).given_up == 0
    hasty = play("storm", impatient)
    assert hasty.given_up > 0
    assert hasty.seconds_to_whole > play("storm", patient).seconds_to_whole


def test_a_lost_pod_brings_its_share_and_a_deploy_everybody() -> None:
    calm = replace(CALM, connections=8000, pods=4, connect_us=100, spread_seconds=5)

    assert play("pod loss", calm).handshakes == 2000
    deploy = play("deploy", replace(calm, drain_seconds=20))
    assert deploy.handshakes >= 8000
    # A quarter of the pods move 2,000 clients in 20 s.
    assert deploy.peak_handshakes_per_second < 400


def test_one_client_stands_for_several_without_changing_the_course(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulation, "MOST_CLIENTS", 4000)
    one = replace(CALM, connections=4000, pods=4, spread_seconds=5)
    heavy = replace(one, connections=16_000, pods=16)

    assert play("storm", heavy).seconds_to_99_percent == pytest.approx(
        play("storm", one).seconds_to_99_percent, rel=0.1
    )


def test_enough_pods_are_found() -> None:
    slow = replace(CALM, connections=5000, connect_us=10_000, client_patience_seconds=1e9)

    pods = pods_needed(slow, whole_within_seconds=20)

    enough, fewer = replace(slow, pods=pods), replace(slow, pods=pods - 2)
    assert play("storm", enough).seconds_to_whole <= 20
    assert play("storm", fewer).seconds_to_whole > 20


def test_everything_is_told_and_costs_are_kept(tmp_path: Path) -> None:
    write(COSTS, tmp_path / "costs.json")
    assert read(tmp_path / "costs.json") == COSTS
    (tmp_path / "costs.json").write_text('{"measured_on": "x"}')
    with pytest.raises(ValueError, match="missing"):
        read(tmp_path / "costs.json")

    demand = replace(DEMAND, connections=3000)
    text, found = capacity(demand, COSTS, Limits(), whole_within_seconds=30)

    assert "gateway" in text
    assert [each["event"] for each in found["outcomes"]] == ["deploy", "pod loss", "storm"]


def test_the_costs_of_this_version_were_measured() -> None:
    assert measured().gateway_connect_us > 0
