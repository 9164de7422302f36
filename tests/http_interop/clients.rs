//! Clients: curl, Python's `http.client`, `urllib` and requests, Node's `fetch`.

use std::fs;

use sinew::{
    auth::Users,
    http::server::{ForwardProxy, Guard, ReverseProxy},
};

use super::{
    programs::{curl, is_there, output},
    site::{Folder, serve, site},
};

const LONG: usize = 1_000_000;

/// What `/echo` says of so many times "x".
fn echoed(method: &str, len: usize) -> String {
    format!("{method} {len} {}", len * usize::from(b'x'))
}

fn upload(folder: &Folder) -> String {
    let path = folder.path("upload");
    fs::write(&path, "x".repeat(LONG)).unwrap();
    path
}

#[test]
fn curl_asks_in_every_way() {
    if !is_there("curl", "--version") {
        return;
    }
    serve(site(), |addr| {
        let folder = Folder::new("curl");
        let file = upload(&folder);
        let data = format!("@{file}");
        let url = |path: &str| format!("http://{addr}{path}");
        let (hello, echo, long) = (url("/hello"), url("/echo"), url("/long"));
        assert_eq!(curl(&[&hello]), "hello\n");
        assert_eq!(curl(&["--http1.0", &hello, &hello]), "hello\nhello\n");
        let connects = ["--output", "/dev/null", "--write-out", "%{num_connects} ", &hello];
        let again: Vec<_> = [&connects[..], &["--output", "/dev/null", &hello]].concat();
        assert_eq!(curl(&again), "1 0 ", "the connection is used again");
        assert!(curl(&["--head", &long]).contains("Content-Length: 1000000\r\n"));
        assert_eq!(curl(&["--compressed", &long]).len(), LONG);
        let size =
            ["--compressed", "--output", "/dev/null", "--write-out", "%{size_download}", &long];
        assert!(curl(&size).parse::<usize>().unwrap() < 100_000);
        for fields in ["Expect: 100-continue", "Expect:", "Transfer-Encoding: chunked"] {
            let args = ["-H", fields, "--data-binary", &data, &echo];
            assert_eq!(curl(&args), echoed("POST", LONG), "{fields}");
        }
        assert_eq!(curl(&["--upload-file", &file, &echo]), echoed("PUT", LONG));
        let form = url("/form");
        assert_eq!(curl(&["--data-urlencode", "a=b c", "--data", "d=e", &form]), "a=b c;d=e;");
        let file_field = format!("f=@{file};filename=\"a b\"");
        assert_eq!(curl(&["--form", "a=b", "--form", &file_field, &form]), "a=b;f:a b:1000000;");
        for (path, scheme) in
            [("/basic", "--basic"), ("/digest", "--digest"), ("/digest", "--anyauth")]
        {
            // Twice: the second time with the next count of the same nonce.
            let url = url(path);
            assert_eq!(curl(&[scheme, "--user", "ann:secret", &url, &url]), "annann", "{scheme}");
            let wrong = ["--output", "/dev/null", "--write-out", "%{http_code}"];
            assert_eq!(curl(&[&wrong[..], &[scheme, "--user", "ann:x", &url]].concat()), "401");
        }
    });
}

#[test]
fn curl_through_our_proxies() {
    if !is_there("curl", "--version") {
        return;
    }
    serve(site(), |origin| {
        let subnet = "127.0.0.0/8".parse().unwrap();
        let port = origin.port();
        let forward =
            move || ForwardProxy::new().ports([port]).tunnel_ports([port]).allow([subnet]);
        let folder = Folder::new("curl-proxy");
        let file = upload(&folder);
        let data = format!("@{file}");
        serve(forward(), {
            let data = data.clone();
            move |proxy| {
                let proxy = format!("http://{proxy}");
                let (hello, echo) =
                    (format!("http://{origin}/hello"), format!("http://{origin}/echo"));
                for way in [&["--proxy", &proxy][..], &["--proxytunnel", "--proxy", &proxy]] {
                    assert_eq!(curl(&[way, &[&hello, &hello]].concat()), "hello\nhello\n");
                    let args = [way, &["--data-binary", &data, &echo]].concat();
                    assert_eq!(curl(&args), echoed("POST", LONG));
                }
                let refused = ["--output", "/dev/null", "--write-out", "%{http_code}"];
                let other = ["--proxy", &proxy, "http://127.0.0.1:1/"];
                assert_eq!(curl(&[&refused[..], &other].concat()), "403");
            }
        });
        let users = Users::new().user("ann", "secret");
        serve(Guard::digest("the proxy", users, forward()).unwrap().for_proxy(), move |proxy| {
            let proxy = format!("http://{proxy}");
            let hello = format!("http://{origin}/hello");
            let login = ["--proxy-digest", "--proxy-user", "ann:secret", "--proxy", &proxy];
            assert_eq!(curl(&[&login[..], &[&hello]].concat()), "hello\n");
            let tunnel = [&login[..], &["--proxytunnel", &hello]].concat();
            assert_eq!(curl(&tunnel), "hello\n");
        });
        serve(ReverseProxy::new(format!("tcp:{origin}").parse().unwrap()), move |proxy| {
            let url = |path: &str| format!("http://{proxy}{path}");
            assert_eq!(curl(&[&url("/hello"), &url("/hello")]), "hello\nhello\n");
            assert_eq!(curl(&["--compressed", &url("/long")]).len(), LONG);
            for fields in ["Expect: 100-continue", "Expect:", "Transfer-Encoding: chunked"] {
                let args = ["-H", fields, "--data-binary", &data, &url("/echo")];
                assert_eq!(curl(&args), echoed("POST", LONG), "{fields}");
            }
            assert_eq!(curl(&["--digest", "--user", "ann:secret", &url("/digest")]), "ann");
            assert!(curl(&[&url("/fields")]).contains("\"X-Forwarded-For\": \"127.0.0.1\""));
        });
    });
}

const PYTHON: &str = r#"
import http.client, sys, urllib.request
host, port = sys.argv[1].rsplit(":", 1)
connection = http.client.HTTPConnection(host, int(port), timeout=60)
for _ in range(3):
    connection.request("GET", "/hello")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"hello\n")
connection.request("HEAD", "/long")
answer = connection.getresponse()
assert answer.read() == b"" and answer.getheader("Content-Length") == "1000000"
def pieces():
    for _ in range(1000):
        yield b"x" * 1000
connection.request("POST", "/echo", pieces(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
assert connection.getresponse().read() == b"POST 1000000 120000000"
connection.request("PUT", "/echo", b"x" * 1000000)
assert connection.getresponse().read() == b"PUT 1000000 120000000"
connection.request("GET", "/missing")
answer = connection.getresponse()
assert answer.status == 404 and answer.read() == b""
base = "http://%s:%s" % (host, port)
passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
passwords.add_password(None, base, "ann", "secret")
for path, handler in ("/basic", urllib.request.HTTPBasicAuthHandler), ("/digest-md5", urllib.request.HTTPDigestAuthHandler):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler(passwords))
    for _ in range(2):
        assert opener.open(base + path).read() == b"ann", path
try:
    import requests
    from requests.auth import HTTPDigestAuth
except ImportError:
    print("skipped: requests is not installed")
else:
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(base + "/hello").text == "hello\n"
        assert len(session.get(base + "/long").content) == 1000000
        for _ in range(2):
            assert session.get(base + "/digest", auth=HTTPDigestAuth("ann", "secret")).text == "ann"
        files = {"f": ("a b.txt", b"x" * 100000)}
        assert session.post(base + "/form", data={"a": "b"}, files=files).text == "a=b;f:a b.txt:100000;"
        assert session.post(base + "/echo", data=pieces()).text == "POST 1000000 120000000"
try:
    import aiohttp, asyncio
except ImportError:
    print("skipped: aiohttp is not installed")
else:
    async def ask():
        async with aiohttp.ClientSession() as session:
            async def one(path):
                async with session.get(base + path) as answer:
                    return len(await answer.text())
            assert await asyncio.gather(*[one("/hello") for _ in range(50)]) == [6] * 50
            async with session.post(base + "/echo", data=b"x" * 1000000) as answer:
                assert await answer.text() == "POST 1000000 120000000"
    asyncio.run(ask())
print("done")
"#;

#[test]
fn python_asks() {
    if !is_there("python3", "--version") {
        return;
    }
    let said = serve(site(), |addr| output("python3", &["-c", PYTHON, &addr.to_string()]));
    said.lines().filter(|line| line.starts_with("skipped")).for_each(|line| eprintln!("{line}"));
    assert!(said.ends_with("done\n"), "{said}");
}

const NODE: &str = r#"
const base = "http://" + process.argv[1];
const check = (got, wanted) => { if (got !== wanted) throw new Error(`${got} is not ${wanted}`); };
(async () => {
    if (typeof fetch !== "function") { console.log("skipped: this Node has no fetch"); return; }
    const text = async (path, options) => (await fetch(base + path, options)).text();
    const all = await Promise.all(Array.from({ length: 50 }, () => text("/hello")));
    all.forEach(one => check(one, "hello\n"));
    check((await text("/long")).length, 1000000);
    check(await text("/echo", { method: "PUT", body: "x".repeat(1000000) }), "PUT 1000000 120000000");
    let left = 1000;
    const body = new ReadableStream({ pull(c) { left-- > 0 ? c.enqueue(new Uint8Array(1000).fill(120)) : c.close(); } });
    check(await text("/echo", { method: "POST", body, duplex: "half" }), "POST 1000000 120000000");
    const form = new FormData();
    form.append("a", "b");
    form.append("f", new Blob(["x".repeat(100000)]), "a b.txt");
    check(await text("/form", { method: "POST", body: form }), "a=b;f:a b.txt:100000;");
    check((await fetch(base + "/missing")).status, 404);
    const login = { Authorization: "Basic " + Buffer.from("ann:secret").toString("base64") };
    check(await text("/basic", { headers: login }), "ann");
    console.log("done");
})().catch(error => { console.error(error); process.exit(1); });
"#;

#[test]
fn node_fetches() {
    if !is_there("node", "--version") {
        return;
    }
    let said = serve(site(), |addr| output("node", &["-e", NODE, &addr.to_string()]));
    if said.starts_with("skipped") {
        eprintln!("{said}");
    } else {
        assert_eq!(said, "done\n");
    }
}
