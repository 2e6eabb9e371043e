//! Addresses of pages, and what is none.

use streamforge_function::axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use tower::ServiceExt;
use visualizer::pages;

async fn ask(method: &str, path: &str) -> (u16, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = pages().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn every_address_of_a_page_is_the_first_document() {
    for path in ["/", "/index.html", "/workflows", "/graph/a.b%20c", "/models/gnn.v1", "/market/%3Cimg%3E"] {
        let (status, headers, body) = ask("GET", path).await;
        assert_eq!((status, body.starts_with("<!doctype html>")), (200, true), "{path}: {body}");
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-cache");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(headers["referrer-policy"], "no-referrer");
    }
    assert_eq!(ask("HEAD", "/workflows").await.0, 200);
}

#[tokio::test]
async fn what_is_no_page_is_not_shown_as_one() {
    for (method, path) in [
        ("GET", "/views/nothing"),
        ("GET", "/queues/a/b"),
        ("GET", "/assets/gone.js"),
        ("GET", "/favicon.png"),
        ("GET", "/.."),
        ("GET", "/static/../../x"),
        ("GET", "/..%2f..%2fetc%2fpasswd.txt"),
        ("POST", "/workflows"),
        ("DELETE", "/index.html"),
    ] {
        let (status, headers, body) = ask(method, path).await;
        assert_eq!((status, body.contains("unknown_path")), (404, true), "{method} {path}: {body}");
        assert_eq!(headers["content-type"], "application/json");
    }
}
