//! Requests that take too long, and requests that are given up.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_http::{
    Body, StatusCode,
    client::{ClientConfig, ConnectionConfig, Phase, PoolConfig, Request, RequestError},
    server::{Reply, Request as Asked, Response},
};

use super::world::World;

/// `/SECONDS` answers after that time; `/body/SECONDS` has a piece of its body each second.
fn slow(request: Asked, reply: Reply) {
    let reactor = request.reactor();
    if let Some(seconds) = request.path().strip_prefix("/body/") {
        let seconds: u32 = seconds.parse().unwrap();
        let (writer, body) = Body::writer();
        reply.send(Response::new(StatusCode::OK).with_body(body));
        let clock = reactor.clone();
        reactor
            .spawn(async move {
                for _ in 0..seconds {
                    writer.write("x");
                    clock.sleep(Duration::from_secs(1)).await;
                }
                writer.finish();
            })
            .detach();
        return;
    }
    let seconds = request.path()[1..].parse().unwrap();
    reactor.call_later(Duration::from_secs(seconds), |_| reply.send("there you are"));
}

fn timed_out(result: Result<super::world::Answer, RequestError>) -> Phase {
    match result.unwrap_err() {
        RequestError::TimedOut { phase, .. } => phase,
        error => panic!("{error}"),
    }
}

#[test]
fn each_phase_has_its_time() {
    let world = World::new(slow);
    let config = ClientConfig::default;
    assert_eq!(world.get(config(), "http://server/29").unwrap().text, "there you are");
    assert_eq!(timed_out(world.get(config(), "http://server/31")), Phase::Head);
    let all = Request::get("http://server/5").unwrap().timeout(Duration::from_secs(3));
    assert_eq!(timed_out(world.send(config(), all)), Phase::Response);
    let long = Request::get("http://server/body/100").unwrap();
    let answer = world.send(config().timeout(Duration::from_secs(3)), long).unwrap();
    assert_eq!(answer.text.len(), 100, "a body may take its time, as long as it arrives");
    let total =
        Request::get("http://server/body/100").unwrap().total_timeout(Duration::from_secs(9));
    let answer = world.send(config(), total).unwrap();
    assert_eq!(answer.text, "[the body came too slowly]");
    let idle = ConnectionConfig::default().idle_timeout(Duration::from_millis(500));
    let answer = world.get(config().connection(idle), "http://server/body/3").unwrap();
    assert_eq!(answer.text, "[the body came too slowly]");
}

#[test]
fn connecting_has_its_time() {
    let world = World::new(slow);
    world.network.cut(&world.network.host("server"), &world.network.host("client"));
    let error = world.get(ClientConfig::default(), "http://server/0").unwrap_err();
    assert!(matches!(error, RequestError::Connect(_)) && error.is_timeout(), "{error}");
}

#[test]
fn waiting_for_a_connection_has_its_time() {
    let world = World::new(slow);
    let pool = PoolConfig::default().per_key_max(1);
    let phase = world.run(ClientConfig::default().pool(pool), |client| async move {
        let _first = client.client.get("http://server/20");
        timed_out(client.get("http://server/0").await)
    });
    assert_eq!(phase, Phase::Pool);
}

#[test]
fn a_request_that_is_dropped_closes_its_connection() {
    let gone = Rc::new(Cell::new(0));
    let counted = Rc::clone(&gone);
    let world = World::new(move |request: Asked, reply: Reply| {
        let gone = Rc::clone(&counted);
        request.on_disconnect(move |_| gone.set(gone.get() + 1));
        slow(request, reply);
    });
    world.run(ClientConfig::default(), |client| async move {
        let second = Duration::from_secs(1);
        // While it waits for the head.
        let waiting = client.client.get("http://server/20");
        client.reactor.sleep(second).await;
        assert_eq!(client.client.pool().open(), 1);
        drop(waiting);
        client.reactor.sleep(second).await;
        assert_eq!(client.client.pool().open(), 0);
        // By its handle.
        let waiting = client.client.get("http://server/20");
        client.reactor.sleep(second).await;
        waiting.cancel();
        assert!(matches!(waiting.await, Err(RequestError::Failed(_))));
        client.reactor.sleep(second).await;
        // In the middle of the body.
        let response = client.client.get("http://server/body/20").await.unwrap();
        let body = response.collect();
        client.reactor.sleep(second).await;
        drop(body);
        client.reactor.sleep(second).await;
        assert_eq!(client.client.pool().open(), 0);
        // While it connects.
        let waiting = client.client.get("http://server/0");
        drop(waiting);
        client.reactor.sleep(second).await;
        assert_eq!(client.client.pool().open(), 0);
    });
    assert_eq!(gone.get(), 3, "the server has noticed");
}

#[test]
fn a_client_that_is_dropped_lets_its_requests_end() {
    let world = World::new(slow);
    let text = world.run(ClientConfig::default(), |client| async move {
        let waiting = client.client.get("http://server/2");
        let super::world::Client { client, .. } = client;
        drop(client);
        waiting.await.unwrap().text().await.unwrap()
    });
    assert_eq!(text, "there you are");
}
