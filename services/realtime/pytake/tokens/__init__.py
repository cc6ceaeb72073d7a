"""From the text of a JWT to a principal, and what belongs to signing in.

Promises: a token is believed only if its algorithm is on our list *and* its key is of
the family that this algorithm belongs to: HMAC tokens meet our secrets alone, signed
ones the provider's public keys alone, so that neither can be passed off as the other.
Revocations known to this process are applied on every check.

Leaves to others: where a token is read from, and what its principal may do.

When a neighbour is down: keys that were fetched once go on being used; an unknown key
is `unavailable` (not `invalid_token`) while the provider cannot be asked. Rights that
cannot be polled stay as they were last known.

Nothing here blocks the loop: keys are fetched asynchronously, passwords are hashed in
two threads with a bounded queue.
"""
