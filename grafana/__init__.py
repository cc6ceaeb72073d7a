"""Dashboards, alerts and the routing of alerts, as code. `make dashboards` writes generated/.

thresholds.py   the numbers that panels and alerts share
alerts/         rules: what wakes somebody, and why
dashboards/     one board a file
panels.py       how our panels look
generate.py     writes generated/ and docs/metrics.md
"""
