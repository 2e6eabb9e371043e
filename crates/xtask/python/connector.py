"""A connector of the usual kind: batches of klines from Kafka into a database, an offset committed after its rows."""

import asyncio
import sys

import orjson
from aiokafka import AIOKafkaConsumer
from arango import ArangoClient

BROKERS, TOPIC, GROUP, DATABASE = sys.argv[1:]
FIELDS = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_asset_volume", "number_of_trades",
    "taker_buy_base_asset_volume", "taker_buy_quote_asset_volume",
)


def documents(value):
    batch = orjson.loads(value)
    symbol, interval, version = batch["symbol"], batch["interval"], batch["read_at"]
    for row in batch["rows"]:
        kline = dict(zip(FIELDS, row))
        key = f"binance-spot-{symbol}-{interval}-{row[0]:013}"
        yield {"_key": key, "symbol": symbol, "interval": interval, "version": version, **kline}


async def run():
    database = ArangoClient(hosts=DATABASE).db("_system")
    if not database.has_collection("klines"):
        database.create_collection("klines")
    klines = database.collection("klines")
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=BROKERS, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False,
    )
    await consumer.start()
    print("ready", flush=True)
    while True:
        batches = await consumer.getmany(timeout_ms=1000, max_records=10)
        for records in batches.values():
            for record in records:
                rows = list(documents(record.value))
                answers = await asyncio.to_thread(klines.insert_many, rows, overwrite_mode="replace", sync=True)
                failed = [answer for answer in answers if isinstance(answer, Exception)]
                assert not failed, failed[0]
        if batches:
            await consumer.commit()


asyncio.run(run())
