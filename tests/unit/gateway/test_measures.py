"""What each version answered in a window."""

from __future__ import annotations

import pytest

from fairway.gateway.exposition import text
from fairway.gateway.measures import Counters, Measures, parse
from fairway.gateway.snapshot import ClusterName

STABLE = ClusterName("http", "shop", "web", 80, "6d4")
CANARY = ClusterName("http", "shop", "web-canary", 80, "9f1")
PAGE = """# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="http_shop_web_80_6d4"} 90
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="http_shop_web_80_6d4"} 10
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="elsewhere"} 7
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="http_shop_web_80_6d4",le="10"} 50
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="http_shop_web_80_6d4",le="20"} 100
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="http_shop_web_80_6d4",le="+Inf"} 100
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="http_shop_web_80_6d4"} 1200.5
envoy_cluster_upstream_rq_time_count{envoy_cluster_name="http_shop_web_80_6d4"} 100
"""  # noqa: E501 lines as Envoy prints them
INF = float("inf")


def counted(good: int, bad: int = 0) -> Counters:
    times = {10.0: good // 2, 20.0: good, INF: good + bad}
    return Counters((0, good, 0, 0, bad), times, 10.0 * good)


def test_envoys_page_is_read_and_other_clusters_are_left_out() -> None:
    found = parse(PAGE)
    assert found == {STABLE: Counters((0, 90, 0, 0, 10), {10.0: 50, 20.0: 100, INF: 100}, 1200.5)}


def test_a_window_counts_only_what_happened_in_it() -> None:
    measures = Measures()
    for second in range(0, 61, 5):
        measures.add(float(second), {STABLE: counted(10 * second, second)})
    last = measures.measured([STABLE], 20.0)
    assert last.seconds == 20.0
    assert last.classes == {"1xx": 0, "2xx": 200, "3xx": 0, "4xx": 0, "5xx": 20}
    assert last.success_rate == pytest.approx(200 / 220)


def test_what_envoy_counted_before_we_looked_is_in_no_window() -> None:
    measures = Measures()
    measures.add(0.0, {STABLE: counted(1000)})
    measures.add(5.0, {STABLE: counted(1010)})
    assert measures.measured([STABLE], 60.0).requests == 10
    assert measures.measured([STABLE], 60.0).seconds == 5.0


def test_a_version_that_appears_later_began_at_nothing() -> None:
    measures = Measures()
    measures.add(0.0, {STABLE: counted(100)})
    measures.add(5.0, {STABLE: counted(100), CANARY: counted(8, 2)})
    found = measures.measured([CANARY], 60.0)
    assert (found.requests, found.success_rate) == (10, pytest.approx(0.8))


def test_counters_that_begin_again_with_envoy_lose_nothing_that_was_seen() -> None:
    measures = Measures()
    measures.add(0.0, {STABLE: counted(0)})
    measures.add(5.0, {STABLE: counted(100)})
    measures.add(10.0, {STABLE: counted(30)})
    measures.add(15.0, {})
    measures.add(20.0, {STABLE: counted(50)})
    assert measures.measured([STABLE], 60.0).requests == 180


def test_quantiles_are_linear_within_a_bucket() -> None:
    measures = Measures()
    measures.add(0.0, {STABLE: counted(0)})
    measures.add(5.0, {STABLE: counted(100)})
    found = measures.measured([STABLE], 60.0)
    assert found.quantile(0.25) == pytest.approx(5.0)
    assert found.quantile(0.5) == pytest.approx(10.0)
    assert found.quantile(0.75) == pytest.approx(15.0)
    assert found.quantile(1.0) == pytest.approx(20.0)


def test_what_lies_above_the_last_bound_counts_as_the_last_bound() -> None:
    measures = Measures()
    measures.add(0.0, {STABLE: counted(0)})
    measures.add(5.0, {STABLE: Counters((0, 4, 0, 0, 0), {10.0: 0, 20.0: 0, INF: 4}, 100.0)})
    assert measures.measured([STABLE], 60.0).quantile(0.99) == 20.0


def test_without_requests_there_is_no_rate_and_no_quantile() -> None:
    found = Measures().measured([STABLE], 60.0)
    assert (found.requests, found.success_rate, found.quantile(0.9)) == (0, None, None)


def test_two_versions_are_measured_together() -> None:
    measures = Measures()
    measures.add(0.0, {STABLE: counted(0), CANARY: counted(0)})
    measures.add(5.0, {STABLE: counted(30), CANARY: counted(10)})
    assert measures.measured([STABLE, CANARY], 60.0).requests == 40


def test_two_hours_of_samples_stay_few_and_their_windows_right() -> None:
    measures = Measures()
    for look in range(2400):
        measures.add(look * 5.0, {STABLE: counted(look)})
    assert len(measures._series[STABLE].samples) < 400
    assert measures.measured([STABLE], 600.0).requests == 120
    assert measures.measured([STABLE], 3600.0).requests == pytest.approx(720, abs=15)


def test_the_page_has_classes_and_seconds() -> None:
    page = text([(STABLE, Counters((0, 90, 0, 0, 10), {10.0: 50, INF: 100}, 1200.0))]).decode()
    labels = 'namespace="shop",port="80",service="web",use="http",version="6d4"'
    assert f'fairway_gateway_requests_total{{class="5xx",{labels}}} 10.0' in page
    assert f'_seconds_bucket{{le="0.01",{labels}}} 50.0' in page
    assert f"_seconds_sum{{{labels}}} 1.2" in page
