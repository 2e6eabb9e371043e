//! Rows that cannot be, as a broken or hostile exchange could send them.

use serde_json::{Value, json};

/// What becomes of a field of a kline: its place in the row, and what stands there instead.
fn kline(kind: u64, row: &[Value]) -> Option<(usize, Value)> {
    let (high, low) = (row.get(2)?.clone(), row.get(3)?.clone());
    Some(match kind % 8 {
        0 => (5, json!("-1.00000000")),
        1 => (4, json!("NaN")),
        2 if high != low => (2, low),
        2 => (3, json!("99999999999.00000000")),
        3 => (6, json!(row.first()?.as_i64()?.saturating_add(10_000_000_000))),
        4 => (8, json!(u64::MAX)),
        5 => (0, json!(-1)),
        6 => (7, json!("9".repeat(60))),
        _ => (0, json!(row.first()?.as_i64()?.saturating_add(1))),
    })
}

/// The same of a trade, by the name of the field.
fn trade(kind: u64) -> (&'static str, Value) {
    match kind % 4 {
        0 => ("q", json!("-1.00000000")),
        1 => ("p", json!("NaN")),
        2 => ("T", json!(-1)),
        _ => ("a", json!(-7)),
    }
}

/// Makes one row of a page absurd.
pub(super) fn spoil(rows: &mut [String], kind: u64) {
    let middle = rows.len() / 2;
    let Some(text) = rows.get_mut(middle) else { return };
    match serde_json::from_str(text) {
        Ok(Value::Array(mut row)) => {
            if let Some((place, value)) = kline(kind, &row) {
                row[place] = value;
            }
            *text = Value::Array(row).to_string();
        }
        Ok(Value::Object(mut row)) => {
            let (name, value) = trade(kind);
            row.insert(name.to_owned(), value);
            *text = Value::Object(row).to_string();
        }
        _ => {}
    }
}
