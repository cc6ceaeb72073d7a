"""The promise under fire: a real cluster, writers, readers, things that break, and a checker.

Writers record what was acknowledged, readers what they saw and when, the store says what
is true. `checker` compares the three; `scenarios` breaks things by a seeded plan.
"""
