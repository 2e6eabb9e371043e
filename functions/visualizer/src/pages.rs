//! The pages: files that are built into the program, and for every address of a page the one document they begin with.

use std::path::Path;

use include_dir::{Dir, File, include_dir};
use streamforge_function::{
    api::unknown_path,
    axum::{
        Router,
        body::Body,
        extract::Request,
        http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
        middleware::{self, Next},
        response::{IntoResponse, Response},
        routing::get,
    },
};

static ASSETS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/assets");

const INDEX: &str = "index.html";

/// Where the assets are whose names hold a digest of their content.
const HASHED: &str = "assets/";

/// First parts of the addresses of programs: what is not known below them is no page.
const OF_PROGRAMS: [&str; 8] = ["views", "queues", "coverage", "ws", "openapi.json", "docs", "health", "metrics"];

/// Scripts, styles and answers of this origin and of no other; no other site shows a page in a frame of its own.
///
/// # Source
/// <https://www.w3.org/TR/CSP3/>
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The pages, for everything that no other route takes.
pub fn pages() -> Router {
    secured(Router::new().route("/", get(serve)).fallback(serve))
}

/// Tells browsers to do nothing with answers but what the pages need.
pub fn secured(router: Router) -> Router {
    router.layer(middleware::from_fn(async |request: Request, next: Next| {
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }))
}

async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return unknown_path().into_response();
    }
    // Names are looked up among those built in, so that no path leads anywhere else.
    match ASSETS.get_file(path) {
        Some(file) if !is_packed(file.path()) => asset(file, request.headers()),
        _ if is_page(path) => ASSETS.get_file(INDEX).map_or_else(missing, |file| asset(file, request.headers())),
        _ => unknown_path().into_response(),
    }
}

/// Whether a path may be the address of a page.
fn is_page(path: &str) -> bool {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let leads_up = first == ".." || parts.any(|part| part == "..");
    let last = path.rsplit('/').next().unwrap_or_default();
    // The id of a graph or the name of a model may hold points.
    let is_file = last.contains('.') && !path.contains('/');
    !OF_PROGRAMS.contains(&first) && !leads_up && !is_file && !path.starts_with(HASHED)
}

fn asset(file: &'static File<'static>, headers: &HeaderMap) -> Response {
    let path = file.path();
    let caching = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let packed = ASSETS.get_file(format!("{}.gz", path.display())).filter(|_| takes_gzip(headers));
    let body = Body::from(packed.unwrap_or(file).contents());
    let mut response = (StatusCode::OK, body).into_response();
    let mut set = |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, media_type(path));
    set(header::CACHE_CONTROL, caching);
    set(header::VARY, "accept-encoding");
    if packed.is_some() {
        set(header::CONTENT_ENCODING, "gzip");
    }
    response
}

/// Files with this ending are only another form of those without it.
fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|one| {
        let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
        coding.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "the pages are not built into this program").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_files_are_for_those_who_take_them() {
        let takes = |text: &'static str| {
            takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]))
        };
        assert!(takes("gzip") && takes("br, GZIP;q=0.5") && !takes("br") && !takes("gzip;q=0") && !takes(""));
    }
}
