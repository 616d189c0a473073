"""All that knows Tortoise, the object store and the bus.

One unit of work per business act; the truth in the database, wake-ups on the bus, bytes in the object store.
"""
