# Two clients of slixmpp and a component of ComponentXMPP with `sinew xmpp`. Arguments: the port of clients, that of direct TLS, that of
# components, the certificate. Passwords are the names. Says "done" at the end.
import asyncio
import ssl
import sys
import urllib.error
import urllib.request

import slixmpp
from slixmpp.componentxmpp import ComponentXMPP

PORT, DIRECT, COMPONENTS = map(int, sys.argv[1:4])
CA = sys.argv[4]
ROOM = "lobby@rooms.localhost"
PLUGINS = (
    "xep_0030", "xep_0045", "xep_0054", "xep_0060", "xep_0092", "xep_0163", "xep_0191", "xep_0198", "xep_0199", "xep_0203", "xep_0280",
    "xep_0363",
)  # fmt: skip
TUNE = "http://jabber.org/protocol/tune"


class Client(slixmpp.ClientXMPP):
    def __init__(self, user, resource, mechanism=None):
        super().__init__(f"{user}@localhost/{resource}", user, sasl_mech=mechanism)
        self.ca_certs = CA
        self.auto_authorize = None
        self.auto_subscribe = False
        self.inbox = asyncio.Queue()
        self.changes = asyncio.Queue()
        self.events = asyncio.Queue()
        self.started = asyncio.Event()
        self.resumed = asyncio.Event()
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_event_handler("session_resumed", lambda _: self.resumed.set())
        self.add_event_handler("message", lambda m: m["type"] == "groupchat" or self.inbox.put_nowait(m))
        self.add_event_handler("carbon_received", lambda m: self.inbox.put_nowait(m["carbon_received"]))
        self.add_event_handler("pubsub_publish", self.events.put_nowait)
        for change in ("presence_subscribe", "presence_subscribed", "presence_available", "presence_unavailable"):
            self.add_event_handler(change, self.changes.put_nowait)

    async def online(self, port=PORT):
        self.connect("127.0.0.1", port)
        await asyncio.wait_for(self.started.wait(), 30)
        await self.get_roster()
        self.send_presence()
        return self

    async def body(self):
        while True:
            message = await asyncio.wait_for(self.inbox.get(), 30)
            if message["body"]:
                return message["body"]

    async def change(self, kind, of):
        while True:
            presence = await asyncio.wait_for(self.changes.get(), 30)
            if presence["type"] == kind and presence["from"].bare == of:
                return presence


class Echo(ComponentXMPP):
    def __init__(self):
        super().__init__("echo.localhost", "component secret", "127.0.0.1", COMPONENTS)
        self.started = asyncio.Event()
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0199")
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_event_handler("message", lambda m: m.reply(m["body"]).send())


async def friends(ann, bob):
    for one, other in ((ann, bob), (bob, ann)):
        one.send_presence_subscription(pto=other.boundjid.bare, ptype="subscribe")
        await other.change("subscribe", one.boundjid.bare)
        other.send_presence_subscription(pto=one.boundjid.bare, ptype="subscribed")
        await one.change("subscribed", other.boundjid.bare)
        await one.change("available", other.boundjid.bare)
    await ann.update_roster("bob@localhost", name="Bob", groups=["friends"])
    await ann.get_roster()
    item = ann.client_roster["bob@localhost"]
    assert (item["subscription"], item["name"], item["groups"]) == ("both", "Bob", ["friends"]), item


async def discovery(ann, _):
    info = await ann["xep_0030"].get_info(jid="localhost")
    assert ("server", "im", None, "sinew") in info["disco_info"]["identities"], info
    items = await ann["xep_0030"].get_items(jid="localhost")
    domains = {str(item[0]) for item in items["disco_items"]["items"]}
    assert domains == {"rooms.localhost", "upload.localhost", "echo.localhost"}, domains
    assert await ann["xep_0199"].ping("localhost") is not None
    # With an address of the account itself.
    assert await ann["xep_0199"].ping("ann@localhost") is not None


async def accounts(ann, bob):
    card = ann["xep_0054"].make_vcard()
    card["FN"] = "Ann"
    await ann["xep_0054"].publish_vcard(jid=ann.boundjid.bare, vcard=card)
    seen = await bob["xep_0054"].get_vcard("ann@localhost")
    assert seen["vcard_temp"]["FN"] == "Ann", seen
    payload = slixmpp.ET.fromstring(f"<tune xmlns='{TUNE}'><title>x</title></tune>")
    await ann["xep_0060"].publish("ann@localhost", TUNE, id="current", payload=payload)
    items = await bob["xep_0060"].get_items("ann@localhost", TUNE)
    assert items["pubsub"]["items"]["item"]["id"] == "current", items
    await bob["xep_0191"].block("ann@localhost")
    blocked = await bob["xep_0191"].get_blocked()
    assert 'jid="ann@localhost"' in str(blocked), blocked
    ann.send_message(mto="bob@localhost", mbody="not seen", mtype="chat")
    error = await asyncio.wait_for(ann.inbox_error(), 30)
    assert error["error"]["condition"] == "service-unavailable", error
    await bob["xep_0191"].unblock("ann@localhost")


async def copies(ann, bob):
    second = await Client("bob", "second").online(DIRECT)
    await second["xep_0280"].enable()
    ann.send_message(mto=bob.boundjid, mbody="1 < 2", mtype="chat")
    assert await bob.body() == "1 < 2"
    assert await second.body() == "1 < 2"
    await second.disconnect()


async def rooms(ann, bob):
    said = asyncio.Queue()
    for client in (ann, bob):
        client.add_event_handler("groupchat_message", said.put_nowait)
    await ann["xep_0045"].join_muc_wait(ROOM, "ann", timeout=30)
    form = await ann["xep_0045"].get_room_config(ROOM)
    form["type"] = "submit"
    form.get_fields()["muc#roomconfig_persistentroom"]["value"] = True
    await ann["xep_0045"].set_room_config(ROOM, form)
    await bob["xep_0045"].join_muc_wait(ROOM, "bob", timeout=30)
    bob.send_message(mto=ROOM, mbody="hello, room", mtype="groupchat")
    for _ in range(2):
        while (await asyncio.wait_for(said.get(), 30))["body"] != "hello, room":
            pass
    assert set(ann["xep_0045"].get_roster(ROOM)) == {"ann", "bob"}
    await ann["xep_0045"].set_affiliation(ROOM, "member", jid="bob@localhost")
    items = await bob["xep_0030"].get_items(jid="rooms.localhost")
    assert ROOM in {str(item[0]) for item in items["disco_items"]["items"]}, items
    bob["xep_0045"].leave_muc(ROOM, "bob")


def download(url):
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=CA)) as answer:
        return answer.status, answer.headers, answer.read()


async def uploads(ann, _):
    content = bytes(range(256)) * 1024
    plugin = ann["xep_0363"]
    found = await plugin.find_upload_service(domain="localhost")
    assert str(found["from"]) == "upload.localhost", found
    slot = await plugin.request_slot("upload.localhost", "cat & mouse.png", len(content), "image/png")
    put, get = slot["http_upload_slot"]["put"], slot["http_upload_slot"]["get"]["url"]
    headers = {header["name"]: header["value"] for header in put["headers"]}

    def send(body, headers):
        context = ssl.create_default_context(cafile=CA)
        request = urllib.request.Request(put["url"], data=body, method="PUT", headers={"Content-Type": "image/png", **headers})
        try:
            return urllib.request.urlopen(request, context=context).status
        except urllib.error.HTTPError as error:
            return error.code

    sent = asyncio.to_thread
    assert await sent(send, content, {}) == 401
    assert await sent(send, content, {"Authorization": "Bearer 9" + headers["Authorization"][7:]}) == 403
    assert await sent(send, content[1:], headers) == 400
    assert await sent(send, content, {**headers, "Content-Type": "text/html"}) == 415
    assert await sent(send, content, headers) == 201
    assert await sent(send, content, headers) == 409
    status, fields, body = await sent(download, get)
    assert (status, body) == (200, content)
    assert fields["Content-Type"] == "image/png" and fields["Content-Disposition"] == "attachment", fields
    assert "sandbox" in fields["Content-Security-Policy"] and fields["X-Content-Type-Options"] == "nosniff", fields
    try:
        await plugin.request_slot("upload.localhost", "large", 1 << 40)
        raise AssertionError("a slot for too much")
    except slixmpp.exceptions.IqError as error:
        assert error.condition == "not-acceptable", error
    print("uploaded", get, flush=True)


async def components(ann, _):
    echo = Echo()
    echo.connect()
    await asyncio.wait_for(echo.started.wait(), 30)
    ann.send_message(mto="somebody@echo.localhost", mbody="echo", mtype="chat")
    assert await ann.body() == "echo"
    assert await ann["xep_0199"].ping("echo.localhost") is not None
    await echo.disconnect()


async def away(ann, bob):
    # Ann's connection is lost; what is sent meanwhile arrives with the session.
    lost = ann.wait_until("disconnected", 30)
    ann.transport.abort()
    await lost
    bob.send_message(mto="ann@localhost", mbody="while away", mtype="chat")
    await bob["xep_0199"].ping("localhost")
    ann.connect("127.0.0.1", PORT)
    await asyncio.wait_for(ann.resumed.wait(), 30)
    assert await ann.body() == "while away"
    # Bob is gone; what is sent meanwhile waits.
    await bob.disconnect()
    await ann.change("unavailable", "bob@localhost")
    ann.send_message(mto="bob@localhost", mbody="for later", mtype="chat")
    await ann["xep_0199"].ping("localhost")
    bob = await Client("bob", "phone").online()
    message = await asyncio.wait_for(bob.inbox.get(), 30)
    assert message["body"] == "for later" and message["delay"]["stamp"], message
    return bob


async def inbox_error(self):
    while True:
        message = await self.inbox.get()
        if message["type"] == "error":
            return message


Client.inbox_error = inbox_error


async def main():
    ann, bob = Client("ann", "desk"), Client("bob", "phone", "SCRAM-SHA-256-PLUS" if "plus" in sys.argv else None)
    for client in (ann, bob):
        client.add_event_handler("message_error", client.inbox.put_nowait)
    await asyncio.gather(ann.online(), bob.online())
    print("online", flush=True)
    for step in (friends, discovery, accounts, copies, rooms, uploads, components):
        await asyncio.wait_for(step(ann, bob), 60)
        print(step.__name__, flush=True)
    bob = await away(ann, bob)
    await asyncio.gather(ann.disconnect(), bob.disconnect())
    print("done", flush=True)


asyncio.run(asyncio.wait_for(main(), 150))
