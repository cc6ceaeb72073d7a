"""The bytes of files, under `PYTAKE_MEDIA_URL`: a folder or an S3-compatible store.

Both through obstore, one interface over the object stores of this world. Keys are chosen by
us, never by a customer. A storage that is away is `Unavailable` within seconds; nothing is
half written: an object is there whole or not at all.
"""
