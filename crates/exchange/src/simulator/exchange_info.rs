//! `exchangeInfo`: the rules of trading and the limits.

use serde_json::{Value, json};

use super::{market::Listing, parameters::Parameters, refusal::Refusal, server::State};

const STATUSES: [&str; 5] = ["TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY"];

pub(super) fn answer(state: &State, parameters: &Parameters, now: i64) -> Result<String, Refusal> {
    let wanted = parameters.symbols()?;
    let status = parameters.get("symbolStatus");
    if status.is_some() && wanted.is_some() {
        return Err(Refusal::combination());
    }
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(Refusal::invalid_symbol_status());
    }
    let show_permissions = parameters.get("showPermissionSets") != Some("false");
    let symbols: Vec<Value> = match wanted {
        Some(names) => {
            let listing = |name: &String| state.listing(name).map(|listing| symbol(listing, show_permissions));
            names.iter().map(listing).collect::<Result<_, _>>()?
        }
        None if status.is_some_and(|status| status != "TRADING") => Vec::new(),
        None => {
            let listings = state.market.listings().iter().filter(|listing| state.faults.is_listed(&listing.symbol));
            listings.map(|listing| symbol(listing, show_permissions)).collect()
        }
    };
    let limit = |kind: &str, interval: &str, number: u32, limit: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit });
    let answer = json!({
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, state.weight_limit),
            limit("ORDERS", "SECOND", 10, 100),
            limit("ORDERS", "DAY", 1, 200_000),
            limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ],
        "exchangeFilters": [],
        "symbols": symbols,
    });
    Ok(answer.to_string())
}

fn symbol(listing: &Listing, show_permissions: bool) -> Value {
    let tick = step(listing.price_digits);
    let lot = step(listing.quantity_digits);
    let permissions = if show_permissions { json!([["SPOT"]]) } else { json!([]) };
    json!({
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base_asset,
        "baseAssetPrecision": listing.base_asset_precision,
        "quoteAsset": listing.quote_asset,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": true,
        "ocoAllowed": true,
        "otoAllowed": true,
        "opoAllowed": true,
        "quoteOrderQtyMarketAllowed": true,
        "allowTrailingStop": true,
        "cancelReplaceAllowed": true,
        "amendAllowed": true,
        "pegInstructionsAllowed": true,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": [
            { "filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick },
            { "filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000000.00000000", "stepSize": lot },
            {
                "filterType": "NOTIONAL",
                "minNotional": "5.00000000",
                "applyMinToMarket": true,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": false,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": permissions,
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    })
}

/// One step of `digits` digits behind the point, with eight digits: 2 gives `0.01000000`.
fn step(digits: u32) -> String {
    let units = 10_u64.pow(8_u32.saturating_sub(digits));
    format!("{}.{:08}", units / 100_000_000, units % 100_000_000)
}
