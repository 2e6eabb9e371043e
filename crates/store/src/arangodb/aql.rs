//! Every query there is. They stand in one place because the double answers these texts and no others.
//!
//! Strings are compared as a language would sort them: `1m` and `1M` are neighbours. So ranges of keys stay within equal
//! prefixes, and what must be equal is asked for by itself.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/aql/fundamentals/type-and-value-order/>

/// Klines of a series in the order of their keys, which is that of their open times.
pub(super) const KLINES: &str = "FOR c IN candles \
    FILTER c._key >= @from AND c._key < @to AND c.symbol == @symbol AND c.interval == @interval \
    SORT c._key LIMIT @limit \
    RETURN [c.open_time, c.open, c.high, c.low, c.close, c.volume, c.close_time, c.quote_asset_volume, \
    c.number_of_trades, c.taker_buy_base_asset_volume, c.taker_buy_quote_asset_volume, c.version]";

/// The same klines, the last one first.
pub(super) const KLINES_BEFORE: &str = "FOR c IN candles \
    FILTER c._key >= @from AND c._key < @to AND c.symbol == @symbol AND c.interval == @interval \
    SORT c._key DESC LIMIT @limit \
    RETURN [c.open_time, c.open, c.high, c.low, c.close, c.volume, c.close_time, c.quote_asset_volume, \
    c.number_of_trades, c.taker_buy_base_asset_volume, c.taker_buy_quote_asset_volume, c.version]";

pub(super) const CLOSES: &str = "FOR c IN candles \
    FILTER c._key >= @from AND c._key < @to AND c.symbol == @symbol AND c.interval == @interval \
    SORT c._key LIMIT @limit RETURN [c.open_time, c.close]";

pub(super) const OPEN_TIMES: &str = "FOR c IN candles \
    FILTER c._key >= @from AND c._key < @to AND c.symbol == @symbol AND c.interval == @interval \
    SORT c._key LIMIT @limit RETURN c.open_time";

pub(super) const TRADES: &str = "FOR t IN trades \
    FILTER t.symbol == @symbol AND t.timestamp >= @from AND t.timestamp < @to \
    AND (t.timestamp > @time OR t.trade_id > @id) \
    SORT t.timestamp, t.trade_id LIMIT @limit \
    RETURN [t.trade_id, t.price, t.quantity, t.timestamp, t.is_buyer_maker, t.version]";

/// Trades in the order of their keys, which is that of their numbers, the last one first.
pub(super) const TRADES_BEFORE: &str = "FOR t IN trades \
    FILTER t._key >= @from AND t._key <= @last AND t.symbol == @symbol \
    SORT t._key DESC LIMIT @limit \
    RETURN [t.trade_id, t.price, t.quantity, t.timestamp, t.is_buyer_maker, t.version]";

/// Numbers and times of trades in the order of their keys, which is that of their numbers.
pub(super) const TRADE_NUMBERS: &str = "FOR t IN trades \
    FILTER t._key > @after AND t._key <= @last AND t.symbol == @symbol \
    AND t.timestamp >= @from AND t.timestamp < @to \
    SORT t._key LIMIT @limit RETURN [t.trade_id, t.timestamp]";

pub(super) const SERIES: &str = "FOR s IN series RETURN [s.symbol, s.kind, s.interval]";

pub(super) const WORKFLOWS: &str = "FOR w IN queue_state \
    FILTER @status == null OR w.status == @status \
    FILTER w.created_at < @time OR (w.created_at == @time AND w.id < @id) \
    SORT w.created_at DESC, w.id DESC LIMIT @limit RETURN w";

pub(super) const STATUSES: &str = "FOR w IN queue_state \
    COLLECT status = w.status WITH COUNT INTO documents RETURN [status, documents]";

/// `null` is less than every number.
pub(super) const OVERDUE: &str = "FOR w IN queue_state \
    FILTER w.next_deadline != null AND w.next_deadline <= @now \
    SORT w.next_deadline, w.id RETURN w";

pub(super) const GRAPHS: &str = "FOR g IN graphs SORT g.version DESC, g.id DESC LIMIT @limit RETURN g";

pub(super) const NODES: &str = "FOR n IN assets \
    FILTER n.graph_key == @graph AND n.generation == @generation AND n.position > @after \
    SORT n.position LIMIT @limit \
    RETURN [n.position, n.symbol, n.observations, n.mean_return, n.volatility]";

pub(super) const EDGES: &str = "FOR e IN asset_relations \
    FILTER e.graph_key == @graph AND e.generation == @generation AND e.position > @after \
    SORT e.position LIMIT @limit \
    RETURN [e.position, e.from, e.to, e.correlation, e.weight, e.observations]";

/// The symbols one edge away from each of a ring.
pub(super) const NEIGHBOURS: &str = "FOR start IN @ring \
    FOR v, e IN 1..1 ANY start GRAPH 'asset_graph' \
    RETURN [start, v.symbol, e.correlation, e.weight]";

/// Parts of graphs that no reader can come to any more.
pub(super) const DROP_NODES: &str = "FOR n IN assets \
    FILTER n.graph_key == @graph AND n.version <= @version AND n.generation != @generation REMOVE n IN assets";

pub(super) const DROP_EDGES: &str = "FOR e IN asset_relations \
    FILTER e.graph_key == @graph AND e.version <= @version AND e.generation != @generation \
    REMOVE e IN asset_relations";

pub(super) const PREDICTIONS: &str = "FOR p IN predictions \
    FILTER p.order > @after AND p.order < @end \
    AND (@model == null OR p.model == @model) AND (@version == null OR p.model_version == @version) \
    AND (@split == null OR p.split == @split) AND (@symbol == null OR p.symbol == @symbol) \
    AND (@interval == null OR p.interval == @interval) \
    AND p.open_time >= @from AND p.open_time < @to \
    SORT p.order LIMIT @limit RETURN p";

pub(super) const GAPS: &str = "FOR g IN gaps \
    FILTER g.order > @after AND g.order < @end AND (@stream == null OR g.stream == @stream) \
    AND g.to >= @first AND g.from <= @last \
    SORT g.order LIMIT @limit RETURN g";

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that a real server would not take for the name of an attribute.
    ///
    /// # Source
    /// <https://docs.arangodb.com/3.12/aql/fundamentals/syntax/#keywords>
    const KEYWORDS: [&str; 37] = [
        "AGGREGATE",
        "ALL",
        "ALL_SHORTEST_PATHS",
        "AND",
        "ANY",
        "ASC",
        "COLLECT",
        "DESC",
        "DISTINCT",
        "FALSE",
        "FILTER",
        "FOR",
        "GRAPH",
        "IN",
        "INBOUND",
        "INSERT",
        "INTO",
        "K_PATHS",
        "K_SHORTEST_PATHS",
        "LET",
        "LIKE",
        "LIMIT",
        "NONE",
        "NOT",
        "NULL",
        "OR",
        "OUTBOUND",
        "REMOVE",
        "REPLACE",
        "RETURN",
        "SHORTEST_PATH",
        "SORT",
        "TRUE",
        "UPDATE",
        "UPSERT",
        "WINDOW",
        "WITH",
    ];

    #[test]
    fn no_attribute_bears_the_name_of_a_keyword() {
        for text in [
            KLINES,
            CLOSES,
            OPEN_TIMES,
            TRADES,
            super::TRADE_NUMBERS,
            SERIES,
            WORKFLOWS,
            STATUSES,
            OVERDUE,
            GRAPHS,
            NODES,
            EDGES,
            NEIGHBOURS,
            DROP_NODES,
            DROP_EDGES,
            PREDICTIONS,
            GAPS,
        ] {
            for attribute in text.split('.').skip(1) {
                let end = attribute.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
                let name = &attribute[..end.unwrap_or(attribute.len())];
                assert!(!KEYWORDS.contains(&name.to_uppercase().as_str()), "{name} in {text}");
            }
            assert!(!text.contains("  "), "{text}");
        }
    }
}
