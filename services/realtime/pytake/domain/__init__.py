"""The rules of the platform, in plain Python and nothing else.

What a message, a conversation and a principal are, who may see what, how a
status moves and when the window is open. No I/O, no clock, no library: whatever
needs one of these receives the answer as an argument.
"""
