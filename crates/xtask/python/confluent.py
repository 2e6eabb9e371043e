"""librdkafka behind its own Python client."""

import sys
import time
import uuid

from confluent_kafka import Consumer, Producer

import orders

BROKERS = sys.argv[1]
AT_ONCE = 1000


def produce(topic, count, size):
    producer = Producer({
        "bootstrap.servers": BROKERS, "enable.idempotence": True, "acks": "all", "compression.type": "lz4",
        "linger.ms": 1,
    })
    failed = []
    value = bytes(size)
    began = time.perf_counter()
    for number in range(count):
        while True:
            try:
                producer.produce(topic, value, partition=number % 4, on_delivery=lambda error, _: error and failed.append(error))
                break
            except BufferError:
                producer.poll(0.01)
        if number % AT_ONCE == 0:
            producer.poll(0)
    producer.flush()
    assert not failed, failed[0]
    return time.perf_counter() - began


def consume(topic, count, _):
    consumer = Consumer({
        "bootstrap.servers": BROKERS, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([topic])
    taken, began = 0, None
    while taken < count:
        messages = consumer.consume(AT_ONCE, 1)
        began = began or (time.perf_counter() if messages else None)
        taken += sum(len(message.value()) > 0 for message in messages if not message.error())
    consumer.commit(asynchronous=False)
    seconds = time.perf_counter() - began
    consumer.close()
    return seconds


ROLES = {"produce": produce, "consume": consume}
told = orders.each()
for role, *rest in told:
    told.send(ROLES[role](*rest))
