//! One request: let through the gate, sent, judged, and repeated while that can help.

use std::time::Duration;

use reqwest::{Response, header};
use serde::Deserialize;
use tracing::{debug, warn};

use super::{Client, rows::Flaw};
use crate::Error;

/// The most bytes of a page: a thousand rows have some 200 KiB.
pub(super) const LARGEST_PAGE: usize = 1 << 20;

/// The most bytes of any other answer: the full list of symbols, the largest of all, has some 16 MiB.
pub(super) const LARGEST_ANSWER: usize = 64 << 20;

/// The exchange's longest ban; a header that asks for more is not obeyed to the letter.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits> (IP Limits)
const LONGEST_BAN: Duration = Duration::from_hours(3 * 24);

/// Answers that do not parse or are too large are asked for this often; a changed interface will not change back.
const MALFORMED_TRIES: u32 = 3;

/// A request as the exchange sees it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Path under `/api/v3/`, with the encoded query.
    pub(super) target: String,
    /// What the exchange charges for it.
    pub(super) weight: u32,
    /// The most bytes of an answer, after decompression.
    pub(super) largest: usize,
}

/// What an answer means for the request.
#[derive(Debug)]
enum Verdict {
    Good,
    /// The whole process must keep quiet; without a time, until the next minute.
    Limited(Option<Duration>),
    /// Another try can help.
    Again(Error),
    /// No other try will help.
    Final(Error),
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    #[serde(default)]
    msg: String,
}

impl Client {
    /// Sends `call` until it has an answer that `read` understands.
    ///
    /// # Errors
    /// What the last try ended with, or the first failure that no other try can mend.
    pub(super) async fn get<T>(&self, call: &Call, read: impl Fn(&[u8]) -> Result<T, Flaw>) -> Result<T, Error> {
        let config = &self.shared.config;
        let (mut failures, mut limits, mut malformed) = (0, 0, 0);
        loop {
            let (verdict, body) = self.try_once(call).await?;
            let error = match verdict {
                Verdict::Final(error) => return Err(error),
                Verdict::Again(error) => error,
                Verdict::Limited(retry_after) => {
                    limits += 1;
                    let wait = self.keep_quiet(retry_after);
                    warn!(request = call.target, ?wait, "exchange asks to wait");
                    if limits >= config.attempts.max(1) {
                        return Err(Error::RateLimited { request: call.target.clone(), retry_after: wait });
                    }
                    continue;
                }
                Verdict::Good => match read(&body) {
                    Ok(value) => return Ok(value),
                    Err(flaw) => {
                        malformed += 1;
                        flaw.on(&call.target)
                    }
                },
            };
            malformed += u32::from(matches!(error, Error::TooLarge { .. }));
            if malformed >= MALFORMED_TRIES {
                return Err(error);
            }
            failures += 1;
            if failures >= config.attempts.max(1) {
                return Err(error);
            }
            debug!(request = call.target, failures, %error, "asking the exchange again");
            tokio::time::sleep(jittered(backoff(config.backoff, failures))).await;
        }
    }

    /// What is asked.
    pub(super) fn url(&self, call: &Call) -> String {
        format!("{}/api/v3/{}", self.shared.config.base_url, call.target)
    }

    async fn try_once(&self, call: &Call) -> Result<(Verdict, Vec<u8>), Error> {
        let shared = &self.shared;
        let enter = shared.gate.enter(&shared.server_time, call.weight, shared.config.patience);
        let ticket =
            enter.await.map_err(|retry_after| Error::RateLimited { request: call.target.clone(), retry_after })?;
        let response = match shared.http.get(self.url(call)).send().await {
            Ok(response) => response,
            Err(source) => return Ok((transport(call, source), Vec::new())),
        };
        let used = number(&response, "x-mbx-used-weight-1m").and_then(|used| u32::try_from(used).ok());
        ticket.settle(shared.server_time.now(), used);
        let status = response.status().as_u16();
        let kind = text(&response, header::CONTENT_TYPE.as_str());
        let retry_after = number(&response, header::RETRY_AFTER.as_str()).map(Duration::from_secs);
        let retry_after = retry_after.map(|wait| wait.min(LONGEST_BAN));
        match read_body(response, call).await {
            Ok(body) => Ok((judge(call, status, &kind, retry_after, &body), body)),
            Err(Error::Transport { source, .. }) => Ok((transport(call, source), Vec::new())),
            Err(error) => Ok((Verdict::Again(error), Vec::new())),
        }
    }

    /// Stops the whole process for as long as the exchange wants, and says how long that is.
    fn keep_quiet(&self, retry_after: Option<Duration>) -> Duration {
        let now = self.shared.server_time.now();
        let rest_of_minute = u64::try_from(60_000 - now.rem_euclid(60_000)).unwrap_or(60_000);
        let wait = retry_after.unwrap_or(Duration::from_millis(rest_of_minute));
        // The header counts whole seconds, everybody waits for the same one, and a new minute is entered with care.
        let wait = wait + Duration::from_millis(fastrand::u64(600..1_600));
        self.shared.gate.block(now + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2));
        wait
    }
}

/// Decides from what came back alone; a status is looked at before the body is taken for JSON.
fn judge(call: &Call, status: u16, kind: &str, retry_after: Option<Duration>, body: &[u8]) -> Verdict {
    let request = call.target.clone();
    let refusal: Option<Refusal> = if kind.contains("json") { serde_json::from_slice(body).ok() } else { None };
    let excerpt = match &refusal {
        Some(refusal) => format!("code {}: {}", refusal.code, refusal.msg),
        None => excerpt(kind, body),
    };
    match (status, refusal) {
        (200, _) if kind.contains("json") => Verdict::Good,
        (451, refusal) => {
            Verdict::Final(Error::Restricted { request, message: refusal.map_or(excerpt, |refusal| refusal.msg) })
        }
        (418 | 429, _) | (_, Some(Refusal { code: -1003, .. })) => Verdict::Limited(retry_after),
        (408 | 500.., _) | (_, Some(Refusal { code: -1000 | -1001 | -1007 | -1008, .. })) => {
            Verdict::Again(Error::Unavailable { request, status, excerpt })
        }
        (400..=499, Some(refusal)) => {
            Verdict::Final(Error::Refused { request, status, code: refusal.code, message: refusal.msg })
        }
        (403, None) => Verdict::Again(Error::Forbidden { request, excerpt }),
        (404, None) if body.is_empty() => Verdict::Final(Error::Refused {
            request,
            status,
            code: 0,
            message: "no such path; is the base URL that of an exchange?".to_owned(),
        }),
        (400..=499, None) => Verdict::Again(Error::Unavailable { request, status, excerpt }),
        (200..=299, _) => Verdict::Again(Error::Malformed { request, expected: "JSON".to_owned(), found: excerpt }),
        _ => Verdict::Final(Error::Malformed {
            request,
            expected: "an answer of its own, not a redirect".to_owned(),
            found: format!("HTTP {status}"),
        }),
    }
}

fn transport(call: &Call, source: reqwest::Error) -> Verdict {
    let hopeless = source.is_builder();
    let error = Error::Transport { request: call.target.clone(), source: source.without_url() };
    if hopeless { Verdict::Final(error) } else { Verdict::Again(error) }
}

async fn read_body(mut response: Response, call: &Call) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let fail = |source| Error::Transport { request: call.target.clone(), source };
    while let Some(chunk) = response.chunk().await.map_err(fail)? {
        if body.len() + chunk.len() > call.largest {
            return Err(Error::TooLarge { request: call.target.clone(), limit: call.largest });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Doubles `base` for each failure after the first, up to twenty times.
fn backoff(base: Duration, failures: u32) -> Duration {
    base * 2_u32.saturating_pow(failures.saturating_sub(1)).min(20)
}

/// Spreads processes that failed together: from half of `pause` to all of it.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn text(response: &Response, name: &str) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_ascii_lowercase()
}

fn number(response: &Response, name: &str) -> Option<u64> {
    text(response, name).trim().parse().ok()
}

fn excerpt(kind: &str, body: &[u8]) -> String {
    let start: String = String::from_utf8_lossy(&body[..body.len().min(400)])
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(120)
        .collect();
    format!("{} `{start}`", if kind.is_empty() { "no content type" } else { kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, kind: &str, body: &str) -> (&'static str, String) {
        let call = Call { target: "klines?x".to_owned(), weight: 2, largest: LARGEST_PAGE };
        match judge(&call, status, kind, None, body.as_bytes()) {
            Verdict::Good => ("good", String::new()),
            Verdict::Limited(_) => ("limited", String::new()),
            Verdict::Again(error) => ("again", error.to_string()),
            Verdict::Final(error) => ("final", error.to_string()),
        }
    }

    #[test]
    fn status_and_content_type_decide_before_the_body_does() {
        let json = "application/json;charset=utf-8";
        let invalid = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
        let busy = r#"{"code":-1008,"msg":"Server is currently overloaded."}"#;
        let weight = r#"{"code":-1003,"msg":"Too much request weight used."}"#;
        for (status, kind, body, expected, words) in [
            (200, json, "[]", "good", ""),
            (200, "text/html", "<html>", "again", "text/html `<html>`"),
            (400, json, invalid, "final", "HTTP 400, code -1121: Invalid symbol."),
            (400, json, busy, "again", "overloaded"),
            (403, "text/html", "<html>denied</html>", "again", "firewall"),
            (404, "", "", "final", "base URL"),
            (404, "text/html", "<html>", "again", "404"),
            (418, json, weight, "limited", ""),
            (429, "text/html", "<html>", "limited", ""),
            (400, json, weight, "limited", ""),
            (451, json, r#"{"code":0,"msg":"Service unavailable from a restricted location"}"#, "final", "451"),
            (500, json, busy, "again", "code -1008"),
            (503, "text/html", "<html>", "again", "503"),
            (302, "text/html", "", "final", "redirect"),
        ] {
            let (found, message) = verdict(status, kind, body);
            assert_eq!(found, expected, "{status} {kind} {body}");
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn pauses_double_up_to_twenty_times() {
        let base = Duration::from_millis(100);
        let pauses: Vec<_> = [1, 2, 3, 6, 40].map(|failures| backoff(base, failures).as_millis()).into();
        assert_eq!(pauses, [100, 200, 400, 2_000, 2_000]);
    }
}
