"""What somebody holds who must not get in: forged tokens, and sockets that say anything."""
