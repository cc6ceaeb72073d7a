"""The boards as pages of Prometheus hold every question, and queries that it can take."""

import html
import re

import promql_parser
import pytest

from deploy.dashboards.queries import boards, panels
from grafana.consoles import pages
from grafana.panels import BOARDS

PAGES = dict(pages())


def test_each_board_has_a_page_and_each_page_leads_to_the_others() -> None:
    assert PAGES.keys() == {f"{uid}.html" for uid in boards()}
    for text in PAGES.values():
        assert {f"{uid}.html" for uid in BOARDS} <= set(re.findall(r'href="([^"]+)"', text))


@pytest.mark.parametrize("uid", sorted(boards()))
def test_a_page_asks_what_the_panels_ask(uid: str) -> None:
    text = PAGES[f"{uid}.html"]

    for panel in panels(boards()[uid]):
        assert panel["type"] == "heatmap" or html.escape(panel["title"]) in text
    queries = re.findall(r"query `([^`]+)`", text)
    assert len(queries) > 5
    for query in queries:
        promql_parser.parse(query)
        assert "$" not in query
