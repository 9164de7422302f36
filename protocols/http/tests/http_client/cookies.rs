//! Cookies between requests.

use sinew_http::{
    client::{ClientConfig, CookieJar, Request},
    server::{Reply, Request as Asked, Response},
};

use super::world::World;

fn counting(request: Asked, reply: Reply) {
    let seen: u32 = request.cookie("seen").and_then(|seen| seen.parse().ok()).unwrap_or(0);
    let cookie = format!("seen={}; Max-Age=3600", seen + 1);
    reply.send(Response::text(format!("{seen}")).with("Set-Cookie", cookie).unwrap());
}

#[test]
fn a_jar_keeps_them_and_can_be_kept() {
    let world = World::new(counting);
    let jar = CookieJar::new();
    let config = ClientConfig::default().cookies(jar.clone());
    let (first, second, third) = world.run(config, |client| async move {
        let url = "http://server/";
        let first = client.get(url).await.unwrap().text;
        let second = client.get(url).await.unwrap().text;
        let own = Request::get(url).unwrap().with("Cookie", "seen=41").unwrap();
        (first, second, client.ask(own).await.unwrap().text)
    });
    assert_eq!((first.as_str(), second.as_str(), third.as_str()), ("0", "1", "41"));
    let folder = std::env::temp_dir().join(format!("sinew-http-cookies-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("cookies.txt");
    jar.save(&file, false).unwrap();
    jar.save(&file, false).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = CookieJar::new();
    again.load(&file).unwrap();
    let answer = world.get(ClientConfig::default().cookies(again), "http://server/").unwrap();
    assert_eq!(answer.text, "42");
    assert!(CookieJar::new().load(folder.join("none")).is_err());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn without_a_jar_there_are_none() {
    let world = World::new(counting);
    let texts = world.run(ClientConfig::default(), |client| async move {
        let first = client.get("http://server/").await.unwrap().text;
        first + &client.get("http://server/").await.unwrap().text
    });
    assert_eq!(texts, "00");
}
