//! The frames that come all the time, written exactly as the exchange writes them; anything else is left to others.

use std::borrow::Cow;

use streamforge_events::{Decimal, Millis};

use super::{
    Frame, Reader, Trade,
    cursor::{Cursor, Number},
};
use crate::book::{Difference, Level, Price, Top};

/// Reads a frame; none if anything about it is unusual.
#[inline]
pub(super) fn frame<'a>(json: &'a str, reader: &mut Reader) -> Option<Frame<'a>> {
    let mut cursor = Cursor::new(json);
    cursor.literal(b"{\"stream\":\"")?;
    cursor.text_to(b'@')?;
    let frame = if cursor.next_is(b'a') {
        agg_trade(&mut cursor)?
    } else if cursor.next_is(b't') {
        trade(&mut cursor)?
    } else if cursor.next_is(b'b') {
        book_ticker(&mut cursor)?
    } else {
        depth(&mut cursor, reader)?
    };
    cursor.is_at_end().then_some(frame)
}

fn agg_trade<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    cursor.literal(b"aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":")?;
    let event_time = time(cursor)?;
    cursor.literal(b",\"s\":\"")?;
    let symbol = Cow::Borrowed(cursor.text_to(b'"')?);
    cursor.literal(b",\"a\":")?;
    let id = cursor.integer()?;
    let (price, quantity) = paid(cursor)?;
    cursor.literal(b"\",\"f\":")?;
    cursor.integer()?;
    cursor.literal(b",\"l\":")?;
    cursor.integer()?;
    let (trade_time, is_buyer_maker) = made(cursor)?;
    Some(Frame::AggTrade { symbol, trade: Trade { id, price, quantity, event_time, trade_time, is_buyer_maker } })
}

fn trade<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    cursor.literal(b"trade\",\"data\":{\"e\":\"trade\",\"E\":")?;
    let event_time = time(cursor)?;
    cursor.literal(b",\"s\":\"")?;
    let symbol = Cow::Borrowed(cursor.text_to(b'"')?);
    cursor.literal(b",\"t\":")?;
    let id = cursor.integer()?;
    let (price, quantity) = paid(cursor)?;
    cursor.literal(b"\"")?;
    let (trade_time, is_buyer_maker) = made(cursor)?;
    Some(Frame::Trade { symbol, trade: Trade { id, price, quantity, event_time, trade_time, is_buyer_maker } })
}

/// A trade's price and quantity, up to the quotation mark behind.
#[inline]
fn paid(cursor: &mut Cursor<'_>) -> Option<(Decimal, Decimal)> {
    cursor.literal(b",\"p\":\"")?;
    let price = decimal(cursor.number()?)?;
    cursor.literal(b"\",\"q\":\"")?;
    Some((price, decimal(cursor.number()?)?))
}

/// A trade's time and who was its maker, up to the frame's end.
#[inline]
fn made(cursor: &mut Cursor<'_>) -> Option<(Millis, bool)> {
    cursor.literal(b",\"T\":")?;
    let trade_time = time(cursor)?;
    cursor.literal(b",\"m\":")?;
    let is_buyer_maker = cursor.boolean()?;
    cursor.literal(b",\"M\":")?;
    cursor.boolean()?;
    cursor.literal(b"}}")?;
    Some((trade_time, is_buyer_maker))
}

fn book_ticker<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    cursor.literal(b"bookTicker\",\"data\":{\"u\":")?;
    let update_id = cursor.integer()?;
    cursor.literal(b",\"s\":\"")?;
    let symbol = Cow::Borrowed(cursor.text_to(b'"')?);
    cursor.literal(b",\"b\":\"")?;
    let bid_price = price(cursor.number()?)?;
    cursor.literal(b"\",\"B\":\"")?;
    let bid = Level { price: bid_price, quantity: decimal(cursor.number()?)? };
    cursor.literal(b"\",\"a\":\"")?;
    let ask_price = price(cursor.number()?)?;
    cursor.literal(b"\",\"A\":\"")?;
    let ask = Level { price: ask_price, quantity: decimal(cursor.number()?)? };
    cursor.literal(b"\"}}")?;
    Some(Frame::BookTicker { symbol, update_id, top: Top { bid, ask } })
}

fn depth<'a>(cursor: &mut Cursor<'a>, reader: &mut Reader) -> Option<Frame<'a>> {
    cursor.literal(b"depth")?;
    if cursor.next_is(b'@') {
        cursor.literal(b"@")?;
        cursor.text_to(b'"')?;
    } else {
        cursor.literal(b"\"")?;
    }
    cursor.literal(b",\"data\":{\"e\":\"depthUpdate\",\"E\":")?;
    let event_time = time(cursor)?;
    cursor.literal(b",\"s\":\"")?;
    let symbol = Cow::Borrowed(cursor.text_to(b'"')?);
    cursor.literal(b",\"U\":")?;
    let first = cursor.integer()?;
    cursor.literal(b",\"u\":")?;
    let last = cursor.integer()?;
    cursor.literal(b",\"b\":")?;
    levels(cursor, &mut reader.bids)?;
    cursor.literal(b",\"a\":")?;
    levels(cursor, &mut reader.asks)?;
    cursor.literal(b"}}")?;
    let (bids, asks) = (std::mem::take(&mut reader.bids), std::mem::take(&mut reader.asks));
    Some(Frame::Depth { symbol, event_time, difference: Difference { first, last, bids, asks } })
}

/// Fills in the levels of a side in place of those that are there.
#[inline]
fn levels(cursor: &mut Cursor<'_>, levels: &mut Vec<Level>) -> Option<()> {
    levels.clear();
    cursor.literal(b"[")?;
    if cursor.next_is(b']') {
        return cursor.literal(b"]");
    }
    loop {
        cursor.literal(b"[\"")?;
        let price = price(cursor.number()?)?;
        cursor.literal(b"\",\"")?;
        levels.push(Level { price, quantity: decimal(cursor.number()?)? });
        cursor.literal(b"\"]")?;
        if !cursor.next_is(b',') {
            return cursor.literal(b"]");
        }
        cursor.literal(b",")?;
    }
}

#[inline]
fn time(cursor: &mut Cursor<'_>) -> Option<Millis> {
    Millis::try_from(cursor.integer()?).ok()
}

#[inline]
fn decimal(number: Number) -> Option<Decimal> {
    Decimal::from_word(number.mantissa, number.scale)
}

#[inline]
fn price(number: Number) -> Option<Price> {
    Price::from_parts(number.mantissa, number.scale)
}
