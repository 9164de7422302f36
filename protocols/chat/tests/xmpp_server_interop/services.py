# A component and two clients of slixmpp, and the server of sinew. Arguments: the port of clients, the port of components, the
# certificate of the authority. Says "done" at the end.
import asyncio
import sys

import slixmpp
from slixmpp.exceptions import IqError, PresenceError

CLIENTS, COMPONENTS, CA = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ROOM = slixmpp.JID("club@rooms.localhost")


class Component(slixmpp.ComponentXMPP):
    def __init__(self, secret):
        super().__init__("echo.localhost", secret, "127.0.0.1", COMPONENTS)
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        for plugin in ("xep_0030", "xep_0199"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_event_handler("disconnected", lambda _: self.ended.set())
        self.add_event_handler("message", self.answer)

    def answer(self, message):
        if message["type"] == "chat":
            message.reply(message["body"]).send()


class Client(slixmpp.ClientXMPP):
    def __init__(self, user):
        super().__init__(f"{user}@localhost/x", f"secret of {user}")
        self.ca_certs = CA
        self.inbox = asyncio.Queue()
        self.selves = asyncio.Queue()
        self.started = asyncio.Event()
        for plugin in ("xep_0004", "xep_0030", "xep_0045", "xep_0199", "xep_0410"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_event_handler("message", self.inbox.put_nowait)
        self.add_event_handler(f"muc::{ROOM}::self-presence", self.selves.put_nowait)

    async def online(self):
        self.connect("127.0.0.1", CLIENTS)
        await asyncio.wait_for(self.started.wait(), 20)
        self.send_presence()

    async def taken_out(self, code):
        while True:
            presence = await asyncio.wait_for(self.selves.get(), 20)
            if presence["type"] == "unavailable" and code in presence["muc"]["status_codes"]:
                return

    async def body(self, kind):
        while True:
            message = await asyncio.wait_for(self.inbox.get(), 20)
            if message["type"] == kind and message["body"]:
                return message["from"].full, message["body"]


async def fails(condition, deed):
    try:
        await deed
    except (IqError, PresenceError) as error:
        stanza = error.iq if isinstance(error, IqError) else error.presence
        assert stanza["error"]["condition"] == condition, stanza
    else:
        raise AssertionError(f"no {condition}")


async def components(ann):
    wrong = Component("another secret")
    wrong.connect("127.0.0.1", COMPONENTS)
    await asyncio.wait_for(wrong.ended.wait(), 20)
    assert not wrong.started.is_set()
    await fails("remote-server-timeout", ann.plugin["xep_0199"].send_ping("echo.localhost"))
    component = Component("the secret")
    component.connect("127.0.0.1", COMPONENTS)
    await asyncio.wait_for(component.started.wait(), 20)
    ann.send_message("bot@echo.localhost/x", "1 < 2 & ä", mtype="chat")
    assert await ann.body("chat") == ("bot@echo.localhost/x", "1 < 2 & ä")
    await ann.plugin["xep_0199"].send_ping("echo.localhost")
    info = await component.plugin["xep_0030"].get_info(jid="localhost", ifrom="echo.localhost")
    assert "urn:xmpp:ping" in info["disco_info"]["features"], info
    print("component", flush=True)


async def rooms(ann, bob):
    muc, other = ann.plugin["xep_0045"], bob.plugin["xep_0045"]
    presence, _, _, _ = await muc.join_muc_wait(ROOM, "Ann", timeout=20)
    assert {110, 201} <= presence["muc"]["status_codes"], presence
    await fails("item-not-found", other.join_muc_wait(ROOM, "Bob", timeout=20))
    form = await muc.get_room_config(ROOM)
    form.reply()
    values = form.get_values()
    values["muc#roomconfig_persistentroom"] = True
    values["muc#roomconfig_moderatedroom"] = True
    values["muc#roomconfig_roomname"] = "The Club"
    form["type"] = "submit"
    form.set_values(values)
    await muc.set_room_config(ROOM, form)
    rooms = await ann.plugin["xep_0030"].get_items(jid="rooms.localhost")
    assert [item[:3] for item in rooms["disco_items"]["items"]] == [(ROOM.bare, None, "The Club")], rooms
    info = await ann.plugin["xep_0030"].get_info(jid=ROOM)
    assert {"muc_persistent", "muc_moderated", "muc_public"} <= info["disco_info"]["features"], info
    muc.set_subject(ROOM, "news")
    ann.send_message(ROOM, "early", mtype="groupchat")
    await ann.body("groupchat")
    await fails("conflict", other.join_muc_wait(ROOM, "Ann", timeout=20))
    presence, subject, occupants, history = await other.join_muc_wait(ROOM, "Bob", maxstanzas=10, timeout=20)
    assert subject["subject"] == "news" and [message["body"] for message in history] == ["early"], history
    assert "Ann" in [occupant["from"].resource for occupant in occupants], occupants
    assert presence["muc"]["role"] == "visitor", presence
    bob.send_message(ROOM, "unheard", mtype="groupchat")
    await muc.set_role(ROOM, "Bob", "participant")
    bob.send_message(ROOM, "heard", mtype="groupchat")
    assert await ann.body("groupchat") == (ROOM.bare + "/Bob", "heard")
    await other.set_self_nick(ROOM, "Robert", timeout=20)
    await bob.plugin["xep_0199"].send_ping(ROOM.bare + "/Robert")
    await fails("forbidden", other.set_affiliation(ROOM, "member", jid="bob@localhost"))
    await muc.set_affiliation(ROOM, "member", jid="bob@localhost")
    assert await muc.get_affiliation_list(ROOM, "member") == ["bob@localhost"]
    bob.send_message(ROOM.bare + "/Ann", "psst", mtype="chat")
    assert await ann.body("chat") == (ROOM.bare + "/Robert", "psst")
    await muc.set_affiliation(ROOM, "outcast", jid="bob@localhost", reason="noise")
    # Otherwise the next entry would take it for its own end.
    await bob.taken_out(301)
    await fails("forbidden", other.join_muc_wait(ROOM, "Bob", timeout=20))
    await muc.destroy(ROOM, reason="closed")
    rooms = await ann.plugin["xep_0030"].get_items(jid="rooms.localhost")
    assert not rooms["disco_items"]["items"], rooms
    print("rooms", flush=True)


async def slot(ann, size):
    iq = ann.make_iq_get(ito="upload.localhost")
    request = slixmpp.ET.fromstring("<request xmlns='urn:xmpp:http:upload:0' filename='a b.png' content-type='image/png'/>")
    request.set("size", str(size))
    iq.append(request)
    return await iq.send(timeout=20)


async def uploads(ann):
    # The plug-in needs a package for HTTP.
    items = await ann.plugin["xep_0030"].get_items(jid="localhost")
    assert "upload.localhost" in [item[0] for item in items["disco_items"]["items"]], items
    info = await ann.plugin["xep_0030"].get_info(jid="upload.localhost")
    assert info["disco_info"]["form"].get_values()["max-file-size"] == "1000", info
    url = (await slot(ann, 1000)).xml.find(".//{urn:xmpp:http:upload:0}put").get("url")
    assert url.startswith("https://files.localhost/up/") and url.endswith("/a%20b.png"), url
    await fails("not-acceptable", slot(ann, 1001))


async def main():
    ann, bob = Client("ann"), Client("bob")
    await asyncio.gather(ann.online(), bob.online())
    await components(ann)
    await rooms(ann, bob)
    await uploads(ann)
    print("done", flush=True)


asyncio.run(asyncio.wait_for(main(), 60))
