//! The exchange's refusals: HTTP status, code and words.

/// An answer with an error code.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/errors>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: i64,
    pub(super) message: String,
}

impl Refusal {
    fn bad(code: i64, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self { status: 500, code: -1000, message: message.into() }
    }

    pub(super) fn illegal_characters(name: &str, legal: &str) -> Self {
        let text = format!("Illegal characters found in parameter '{name}'; legal range is '{legal}'.");
        Self::bad(-1100, text)
    }

    pub(super) fn too_many_parameters(most: usize, sent: usize) -> Self {
        Self::bad(-1101, format!("Too many parameters; expected '{most}' and received '{sent}'."))
    }

    pub(super) fn duplicates() -> Self {
        Self::bad(-1101, "Duplicate values for a parameter detected.")
    }

    pub(super) fn mandatory(name: &str) -> Self {
        let text = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Self::bad(-1102, text)
    }

    pub(super) fn unread(read: usize, sent: usize) -> Self {
        let text = format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.");
        Self::bad(-1104, text)
    }

    pub(super) fn empty(name: &str) -> Self {
        Self::bad(-1105, format!("Parameter '{name}' was empty."))
    }

    pub(super) fn invalid_interval() -> Self {
        Self::bad(-1120, "Invalid interval.")
    }

    pub(super) fn invalid_symbol() -> Self {
        Self::bad(-1121, "Invalid symbol.")
    }

    pub(super) fn invalid_symbol_status() -> Self {
        Self::bad(-1122, "Invalid symbolStatus.")
    }

    pub(super) fn status_mismatch() -> Self {
        Self::bad(-1220, "The symbol's status does not match the requested symbolStatus.")
    }

    pub(super) fn combination() -> Self {
        Self::bad(-1128, "Combination of optional parameters invalid.")
    }

    pub(super) fn invalid_data(name: &str) -> Self {
        Self::bad(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    pub(super) fn repeated_symbol() -> Self {
        Self::bad(-1151, "Symbol is present multiple times in the list.")
    }

    pub(super) fn invalid_time_unit() -> Self {
        Self::bad(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
    }

    pub(super) fn too_much_weight(limit: u32) -> Self {
        let message = format!(
            "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use \
             WebSocket Streams for live updates to avoid polling the API."
        );
        Self { status: 429, code: -1003, message }
    }

    pub(super) fn banned(until: i64) -> Self {
        let message = format!(
            "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live \
             updates to avoid bans."
        );
        Self { status: 418, code: -1003, message }
    }

    pub(super) fn restricted() -> Self {
        let message = "Service unavailable from a restricted location according to 'b. Eligibility' in \
                       https://www.binance.com/en/terms. Please contact customer service if you believe you \
                       received this message in error.";
        Self { status: 451, code: 0, message: message.to_owned() }
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> String {
        serde_json::json!({ "code": self.code, "msg": self.message }).to_string()
    }
}
