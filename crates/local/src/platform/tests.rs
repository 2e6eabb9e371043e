//! Whole platforms on temporary folders, with a subscriber of the test's own instead of functions.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use axum::{Router, http::HeaderMap, routing::post};
use tokio::{net::TcpListener, sync::mpsc};

use super::{Error, Places, Platform, PlatformConfig, Urls};

const MANIFESTS: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: orders, namespace: kafka}
spec: {partitions: 3}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata:
  name: orders
  namespace: shop
  annotations: {kafka.eventing.knative.dev/external.topic: orders}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: billing, namespace: shop}
spec:
  broker: orders
  subscriber: {uri: SUBSCRIBER}
";

fn config(root: &Path, manifests: &str) -> PlatformConfig {
    let folder = root.join("manifests");
    std::fs::create_dir_all(folder.join("knative")).unwrap();
    std::fs::write(folder.join("knative/all.yaml"), manifests).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    PlatformConfig {
        places: Places::new(&root.join("data"), Urls::default()).unwrap(),
        manifests: Some(folder),
        ingress: any,
        api: any,
        exchange: "synthetic:42".to_owned(),
        max_workers: None,
        job_path: None,
        max_jobs: None,
        program: Some(PathBuf::from("/bin/false")),
    }
}

/// Serves a subscriber that tells the ids of the events it gets.
async fn subscriber() -> (String, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let handler = async move |headers: HeaderMap| {
        sender.send(headers["ce-id"].to_str().unwrap().to_owned()).unwrap();
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(handler))).await });
    (url, receiver)
}

async fn publish(ingress_url: &str, id: &str) {
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(format!("{ingress_url}/shop/orders"));
    let headers = [("ce-specversion", "1.0"), ("ce-id", id), ("ce-source", "/test"), ("ce-type", "order")];
    let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    assert_eq!(request.send().await.unwrap().status().as_u16(), 202);
}

#[tokio::test]
async fn an_event_goes_through_and_the_next_platform_goes_on() {
    let temporary = tempfile::tempdir().unwrap();
    let (url, mut received) = subscriber().await;
    let manifests = MANIFESTS.replace("SUBSCRIBER", &url);
    for id in ["first", "second"] {
        let platform = Platform::start(config(temporary.path(), &manifests)).await.unwrap();
        let state = platform.state();
        assert_eq!(platform.folder().running(), Some(state.clone()));
        let error = Platform::start(config(temporary.path(), &manifests)).await.err().unwrap();
        assert!(matches!(error, Error::InUse { .. }), "{error}");
        publish(&state.ingress_url, id).await;
        // The second platform begins where the first one ended, so nothing comes twice.
        assert_eq!(received.recv().await.unwrap(), id);
        let topics = platform.bus().topics().await.unwrap();
        assert_eq!(topics.iter().find(|topic| topic.name == "orders").unwrap().config.partitions, 3);
        let folder = platform.folder().clone();
        platform.shutdown().await;
        assert_eq!(folder.running(), None);
    }
}

#[tokio::test]
async fn bad_configuration_is_refused_before_anything_is_touched() {
    let temporary = tempfile::tempdir().unwrap();
    let good = config(temporary.path(), MANIFESTS);
    let elsewhere = tempfile::tempdir().unwrap();
    let unknown_broker = "
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: billing, namespace: shop}
spec: {broker: nothing, subscriber: {uri: http://127.0.0.1:9}}
";
    let public = SocketAddr::from(([0, 0, 0, 0], 0));
    for bad in [
        PlatformConfig { ingress: public, ..good.clone() },
        PlatformConfig { api: public, ..good.clone() },
        PlatformConfig { exchange: "binance".to_owned(), ..good.clone() },
        PlatformConfig { manifests: Some(elsewhere.path().join("nothing")), ..good.clone() },
        PlatformConfig { places: good.places.clone(), ..config(elsewhere.path(), "kind: Broker") },
        PlatformConfig { places: good.places.clone(), ..config(elsewhere.path(), unknown_broker) },
    ] {
        let error = Platform::start(bad).await.err().unwrap();
        assert!(error.is_configuration(), "{error}");
        assert!(!good.places.folder().root().exists());
    }
}
