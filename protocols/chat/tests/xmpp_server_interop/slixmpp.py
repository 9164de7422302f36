# Two clients of slixmpp and the server of sinew. Arguments: the port, the certificate of the authority. Says "done" at the end.
import asyncio
import sys

import slixmpp

if slixmpp.__version_info__[:2] < (1, 17):
    print("skipped: slixmpp is older than 1.17")
    sys.exit()

PORT, CA = int(sys.argv[1]), sys.argv[2]


class Client(slixmpp.ClientXMPP):
    def __init__(self, user, resource, plugins=()):
        super().__init__(f"{user}@localhost/{resource}", f"secret of {user}")
        self.ca_certs = CA
        self.auto_authorize = None
        self.auto_subscribe = False
        self.inbox = asyncio.Queue()
        self.changes = asyncio.Queue()
        self.started = asyncio.Event()
        self.resumed = asyncio.Event()
        for plugin in ("xep_0030", "xep_0054", "xep_0060", "xep_0092", "xep_0163", "xep_0191", "xep_0199", "xep_0203", "xep_0280", "xep_0352", *plugins):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_event_handler("session_resumed", lambda _: self.resumed.set())
        self.add_event_handler("message", self.inbox.put_nowait)
        self.add_event_handler("carbon_sent", lambda m: self.inbox.put_nowait(m["carbon_sent"]))
        self.add_event_handler("carbon_received", lambda m: self.inbox.put_nowait(m["carbon_received"]))
        for change in ("presence_subscribe", "presence_subscribed", "presence_available", "presence_unavailable"):
            self.add_event_handler(change, self.changes.put_nowait)

    async def online(self):
        self.connect("127.0.0.1", PORT)
        await asyncio.wait_for(self.started.wait(), 20)
        await self.get_roster()
        self.send_presence()

    async def body(self):
        while True:
            message = await asyncio.wait_for(self.inbox.get(), 20)
            if message["body"]:
                return message["body"]

    async def change(self, kind, of):
        while True:
            presence = await asyncio.wait_for(self.changes.get(), 20)
            if presence["type"] == kind and presence["from"].bare == of:
                return presence


async def main():
    ann, bob = Client("ann", "desk", ["xep_0198"]), Client("bob", "phone")
    await asyncio.gather(ann.online(), bob.online())
    print("online", flush=True)

    info = await ann["xep_0030"].get_info(jid="localhost")
    assert ("server", "im", None, "sinew") in info["disco_info"]["identities"], info
    version = await ann["xep_0092"].get_version("localhost")
    assert version["software_version"]["name"] == "sinew", version
    assert await ann["xep_0199"].ping("localhost") is not None

    for one, other in ((ann, bob), (bob, ann)):
        one.send_presence_subscription(pto=other.boundjid.bare, ptype="subscribe")
        await other.change("subscribe", one.boundjid.bare)
        other.send_presence_subscription(pto=one.boundjid.bare, ptype="subscribed")
        await one.change("subscribed", other.boundjid.bare)
        await one.change("available", other.boundjid.bare)
    await ann.update_roster("bob@localhost", name="Bob", groups=["friends"])
    # The server has nothing newer than what was pushed.
    await ann.get_roster()
    item = ann.client_roster["bob@localhost"]
    assert (item["subscription"], item["name"], item["groups"]) == ("both", "Bob", ["friends"]), item
    print("friends", flush=True)

    second = Client("bob", "desk")
    await second.online()
    await second["xep_0280"].enable()
    ann.send_message(mto=bob.boundjid, mbody="1 < 2", mtype="chat")
    assert await bob.body() == "1 < 2"
    assert await second.body() == "1 < 2"
    bob.send_message(mto="ann@localhost", mbody="2 > 1", mtype="chat")
    assert await ann.body() == "2 > 1"
    assert await second.body() == "2 > 1"
    await second.disconnect()
    await ann.change("unavailable", "bob@localhost")
    print("copies", flush=True)

    # Nobody looks at Bob's client: of what waits the last is sent, before the message.
    assert bob["xep_0352"].enabled
    bob["xep_0352"].send_inactive()
    # The answer says that the server knows.
    await bob["xep_0199"].ping("localhost")
    while not bob.changes.empty():
        bob.changes.get_nowait()
    ann.send_presence(pstatus="one")
    ann.send_presence(pstatus="two")
    ann.send_message(mto=bob.boundjid, mbody="look", mtype="chat")
    assert await bob.body() == "look"
    seen = [bob.changes.get_nowait() for _ in range(bob.changes.qsize())]
    assert [presence["status"] for presence in seen] == ["two"], seen
    bob["xep_0352"].send_active()
    ann.send_presence(pstatus="three")
    assert (await bob.change("available", "ann@localhost"))["status"] == "three"
    print("client state", flush=True)

    card = ann["xep_0054"].make_vcard()
    card["FN"] = "Ann"
    await ann["xep_0054"].publish_vcard(jid=ann.boundjid.bare, vcard=card)
    seen = await bob["xep_0054"].get_vcard("ann@localhost")
    assert seen["vcard_temp"]["FN"] == "Ann", seen

    payload = slixmpp.ET.fromstring("<tune xmlns='http://jabber.org/protocol/tune'><title>x</title></tune>")
    await ann["xep_0060"].publish("ann@localhost", "http://jabber.org/protocol/tune", id="current", payload=payload)
    items = await bob["xep_0060"].get_items("ann@localhost", "http://jabber.org/protocol/tune")
    assert items["pubsub"]["items"]["item"]["id"] == "current", items

    await bob["xep_0191"].block("ann@localhost")
    try:
        await ann["xep_0199"].send_ping(bob.boundjid)
        raise AssertionError("a blocked ping was answered")
    except slixmpp.exceptions.IqError as error:
        assert error.condition == "service-unavailable", error
    await bob["xep_0191"].unblock("ann@localhost")
    print("accounts", flush=True)

    # Ann's connection is lost; what is sent meanwhile arrives with the session.
    ann.transport.abort()
    await asyncio.sleep(0.2)
    bob.send_message(mto="ann@localhost", mbody="while away", mtype="chat")
    ann.connect("127.0.0.1", PORT)
    await asyncio.wait_for(ann.resumed.wait(), 20)
    assert await ann.body() == "while away"
    print("resumed", flush=True)

    await bob.disconnect()
    await ann.change("unavailable", "bob@localhost")
    ann.send_message(mto="bob@localhost", mbody="for later", mtype="chat")
    await asyncio.sleep(0.2)
    bob = Client("bob", "phone")
    await bob.online()
    message = await asyncio.wait_for(bob.inbox.get(), 20)
    assert message["body"] == "for later" and message["delay"]["stamp"], message
    await asyncio.gather(ann.disconnect(), bob.disconnect())
    print("done", flush=True)


asyncio.run(asyncio.wait_for(main(), 100))
