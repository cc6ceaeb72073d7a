"""A WhatsApp of one's own: the Graph API, its webhooks, its customers and its bad days.

Nothing of the platform is imported: it is reached by HTTP and JSON as the real one would
be. Every fault is decided by the seed and the name of the thing it happens to, never by the
order in which things happen, so that the same seed gives the same run on any machine. The
oracle keeps what truly happened and judges what others have made of it.
"""
