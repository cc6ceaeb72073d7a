"""What is seen from outside: figures, logs, traces and probes. Imports nothing of ours.

instruments.py  counters, gauges and histograms that cost an addition
labels.py       the closed sets of label values
registry.py     declaring and writing out
metrics.py      the catalogue: every metric, declared once
logs.py         one JSON line an event; redaction.py keeps people's words out of it
trace_context.py, tracing.py    trace ids for all, spans for the few that are sampled
loop.py         what stops the whole process
probes.py       the inner port
"""
