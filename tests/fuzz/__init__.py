"""Coverage-guided fuzzing with atheris: `python -m fuzz gateway|payloads --frames N`.

atheris never returns, so each target is a process of its own, which
tests/conformance/test_coverage_fuzz.py starts. What it finds is in the crash file that it
names; `python -m fuzz TARGET --again FILE` runs that one input.
"""
