"""What a program that is measured is told, a line each: produce or consume, a topic, how many records, how large."""

import sys


def each():
    """Says that the program is ready, then answers each order with the seconds that it took."""
    print("ready", flush=True)
    for line in sys.stdin:
        what, topic, count, size = line.split()
        seconds = yield what, topic, int(count), int(size)
        print(seconds, flush=True)
        yield
