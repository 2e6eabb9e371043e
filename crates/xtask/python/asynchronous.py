"""The client for Python's asyncio."""

import asyncio
import sys
import time
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

import orders

BROKERS = sys.argv[1]
AT_ONCE = 1000


async def produce(topic, count, size):
    producer = AIOKafkaProducer(
        bootstrap_servers=BROKERS, enable_idempotence=True, acks="all", compression_type="lz4", linger_ms=1,
    )
    await producer.start()
    value = bytes(size)
    began = time.perf_counter()
    pending = []
    for number in range(count):
        pending.append(await producer.send(topic, value, partition=number % 4))
        if len(pending) == AT_ONCE * 4:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    seconds = time.perf_counter() - began
    await producer.stop()
    return seconds


async def consume(topic, count, _):
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=BROKERS, group_id=str(uuid.uuid4()), auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    taken, began = 0, None
    while taken < count:
        batches = await consumer.getmany(timeout_ms=1000, max_records=AT_ONCE)
        began = began or (time.perf_counter() if batches else None)
        taken += sum(len(record.value) > 0 for records in batches.values() for record in records)
    await consumer.commit()
    seconds = time.perf_counter() - began
    await consumer.stop()
    return seconds


ROLES = {"produce": produce, "consume": consume}
told = orders.each()
for role, *rest in told:
    told.send(asyncio.run(ROLES[role](*rest)))
