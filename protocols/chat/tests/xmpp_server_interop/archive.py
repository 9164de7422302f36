# Two clients of slixmpp read archives of the server of sinew. Arguments: the port, the certificate of the authority. Says "done" at the
# end.
import asyncio
import sys

import slixmpp
from slixmpp.exceptions import IqError

if slixmpp.__version_info__[:2] < (1, 17):
    print("skipped: slixmpp is older than 1.17")
    sys.exit()

PORT, CA = int(sys.argv[1]), sys.argv[2]
COUNT = 25


class Client(slixmpp.ClientXMPP):
    def __init__(self, user):
        super().__init__(f"{user}@localhost/x", f"secret of {user}")
        self.ca_certs = CA
        self.inbox = asyncio.Queue()
        self.started = asyncio.Event()
        for plugin in ("xep_0030", "xep_0313", "xep_0359", "xep_0441"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_event_handler("message", self.inbox.put_nowait)

    async def online(self):
        self.connect("127.0.0.1", PORT)
        await asyncio.wait_for(self.started.wait(), 20)
        self.send_presence()
        info = await self["xep_0030"].get_info(jid=self.boundjid.bare)
        features = info["disco_info"]["features"]
        assert {"urn:xmpp:mam:2", "urn:xmpp:sid:0"} <= features, features

    async def next(self):
        while True:
            message = await asyncio.wait_for(self.inbox.get(), 20)
            if message["body"]:
                return message


def body(message):
    return message["mam_result"]["forwarded"]["stanza"]["body"]


async def bodies(messages):
    return [body(message) async for message in messages]


async def main():
    ann, bob = Client("ann"), Client("bob")
    await asyncio.gather(ann.online(), bob.online())
    for number in range(COUNT):
        ann.send_message(mto="bob@localhost", mbody=f"{number} < & ä", mtype="chat")
    ann.send_message(mto="carl@localhost", mbody="nobody", mtype="chat")
    ids = []
    for number in range(COUNT):
        message = await bob.next()
        assert message["body"] == f"{number} < & ä", message
        assert message["stanza_id"]["by"] == "bob@localhost", message
        ids.append(message["stanza_id"]["id"])
    expected = [f"{number} < & ä" for number in range(COUNT)]
    print("delivered", flush=True)

    mam = bob["xep_0313"]
    assert await bodies(mam.iterate(rsm={"max": 10})) == expected
    assert await bodies(mam.iterate(rsm={"max": 7}, reverse=True, total=8)) == expected[-8:][::-1]
    found = [message async for message in mam.iterate(rsm={"max": 10})]
    assert [message["mam_result"]["id"] for message in found] == ids, ids
    first = found[0]["mam_result"]["forwarded"]
    assert first["stanza"]["from"] == "ann@localhost/x" and first["delay"]["stamp"], first
    page = await mam.retrieve(rsm={"max": 3, "after": ids[4]})
    assert [body(message) for message in page["mam"]["results"]] == expected[5:8], page
    start = found[-1]["mam_result"]["forwarded"]["delay"]["stamp"]
    later = await bodies(mam.iterate(start=start))
    assert later and later[-1] == expected[-1], later
    assert await bodies(mam.iterate(end=start)) == expected
    print("pages", flush=True)

    own = ann["xep_0313"]
    assert await bodies(own.iterate(with_jid="bob@localhost", rsm={"max": 20})) == expected
    assert await bodies(own.iterate(with_jid="carl@localhost")) == ["nobody"]
    assert await bodies(own.iterate(with_jid="dora@localhost")) == []
    metadata = (await mam.get_archive_metadata())["mam_metadata"]
    assert (metadata["start"]["id"], metadata["end"]["id"]) == (ids[0], ids[-1]), metadata
    fields = (await mam.get_fields()).get_fields()
    assert {"with", "start", "end"} <= set(fields), fields
    default, always, never = await bob["xep_0441"].get_preferences()
    assert (default, list(always), list(never)) == ("always", [], []), (default, always, never)
    for wrong, condition in (
        (mam.retrieve(rsm={"after": "unknown"}), "item-not-found"),
        (bob["xep_0441"].set_preferences(default="never"), "feature-not-implemented"),
        (mam.retrieve(jid="ann@localhost"), "service-unavailable"),
    ):
        try:
            await wrong
        except IqError as error:
            assert error.condition == condition, error.iq
        else:
            raise AssertionError(f"no {condition}")
    await asyncio.gather(ann.disconnect(), bob.disconnect())
    print("done", flush=True)


asyncio.run(asyncio.wait_for(main(), 100))
