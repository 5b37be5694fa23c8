"""Garbage collection of the rehearsal process, in which proxies, databases, DNS and drills share one interpreter."""

import gc


def freeze_live_objects() -> None:
    """Collect garbage, and exclude all live objects from later collections.

    A full collection stops every thread. With a deployed program on the heap it takes 0.4 s (measured), longer than a
    controller with an interval of 1 s waits for an answer.
    """
    gc.unfreeze()  # Objects frozen earlier may be garbage now.
    gc.collect()
    gc.freeze()
