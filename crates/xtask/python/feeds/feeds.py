"""Reads frames with cryptofeed and keeps books with order_book, from files and as often as it is told."""

import asyncio
import json
import sys
import time
from decimal import Decimal

from cryptofeed.defines import BINANCE, L2_BOOK, TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols
from order_book import OrderBook


def lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def feed(heard):
    """A feed that has its symbols without having asked the exchange."""
    Symbols.set(BINANCE, {"BTC-USDT": "BTCUSDT"}, {"instrument_type": {"BTC-USDT": "spot"}})

    async def hear(_, __):
        heard[0] += 1

    return Binance(symbols=["BTC-USDT"], channels=[TRADES, L2_BOOK], callbacks={TRADES: hear, L2_BOOK: hear})


async def handled(feed, frames):
    began = time.perf_counter()
    for frame in frames:
        await feed.message_handler(frame, None, 0.0)
    return time.perf_counter() - began


def trades(path):
    heard, frames = [0], lines(path)
    seconds = asyncio.run(handled(feed(heard), frames))
    assert heard[0] == len(frames), heard
    return seconds


def depth(path, bid, ask):
    snapshot, *frames = lines(path)
    heard = [0]
    one = feed(heard)
    book = one._parse_snapshot("BTC-USDT", snapshot)
    one._l2_book["BTC-USDT"], one.last_update_id["BTC-USDT"] = book, book.sequence_number
    seconds = asyncio.run(handled(one, frames))
    assert heard[0] == len(frames), heard
    assert (book.book.bids.index(0)[0], book.book.asks.index(0)[0]) == (Decimal(bid), Decimal(ask))
    return seconds


def levels(path, bid, ask):
    snapshot, *frames = (json.loads(line) for line in lines(path))
    pairs = lambda rows: [(Decimal(price), Decimal(quantity)) for price, quantity in rows]
    book = OrderBook()
    book.bids, book.asks = dict(pairs(snapshot["bids"])), dict(pairs(snapshot["asks"]))
    changes = [(pairs(frame["data"]["b"]), pairs(frame["data"]["a"])) for frame in frames]
    sides = book.bids, book.asks
    began = time.perf_counter()
    for change in changes:
        for side, rows in zip(sides, change):
            for price, quantity in rows:
                if quantity:
                    side[price] = quantity
                elif price in side:
                    del side[price]
        sides[0].index(0), sides[1].index(0)
    seconds = time.perf_counter() - began
    assert (book.bids.index(0)[0], book.asks.index(0)[0]) == (Decimal(bid), Decimal(ask))
    return seconds


ROLES = {"cryptofeed-trades": trades, "cryptofeed-depth": depth, "order_book-levels": levels}
print("ready", flush=True)
for line in sys.stdin:
    role, *rest = line.split()
    print(ROLES[role](*rest), flush=True)
