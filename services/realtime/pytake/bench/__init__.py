"""`pytake bench`: loads a server as its users would, and measures it.

Used from outside: it imports nothing of the platform, and speaks to a server by its public protocol
with tokens that the caller signs. A scenario (`scenarios`, `mixed`) says what happens, against the
interface of `swarm`; `native` (in C) and `plain` (in Python) are the clients. `load` is a load
process, `run` starts them and reads the server beside them, `result` and `report` are what came of
it. `link` is one lean client by itself, for other tools. `capacity` works out sizes.
"""
