"""A client on phoenix-channels-python-client, which prints a line for each thing
that happens to it. The library subscribes; to push, a program takes its protocol
handler and connection, and finds the reply among the messages of the topic."""

import asyncio
import json
import os
import sys

from phoenix_channels_python_client import PHXChannelsClient, PhoenixChannelsProtocolVersion
from phoenix_channels_python_client.exceptions import PHXTopicError
from phoenix_channels_python_client.phx_messages import PHXEvent
from phoenix_channels_python_client.utils import make_message

VERSIONS = {
    "1.0.0": PhoenixChannelsProtocolVersion.V1,
    "2.0.0": PhoenixChannelsProtocolVersion.V2,
}
ROOM = "room:quiet-" + os.environ["AVIARY_NAME"]
PEOPLE = "pres:" + os.environ["AVIARY_NAME"]


def say(*words):
    print(*words, flush=True)


def text(payload):
    return json.dumps(payload, separators=(",", ":"))


class Program:
    def __init__(self):
        self.replies = {}  # futures by ref
        self.client = PHXChannelsClient(
            os.environ["AVIARY_URL"] + "/websocket",
            "key",
            protocol_version=VERSIONS[os.environ["AVIARY_VSN"]],
            on_reconnect=self.rejoined,
        )

    async def rejoined(self):
        say("joined")

    async def on_room(self, message):
        if message.event == PHXEvent.reply:
            self.replies[message.ref].set_result(message.payload)
        else:
            say(message.event, text(message.payload))

    async def on_people(self, message):
        if message.event == "presence_state" and message.payload:
            say("presence_state", *sorted(message.payload))
        elif message.event == "presence_diff":
            say("presence_diff", *(f"+{key}" for key in message.payload["joins"]),
                *(f"-{key}" for key in message.payload["leaves"]))

    async def push(self, event, payload):
        """Pushes to the room and waits for the reply."""
        ref = f"push {len(self.replies)}"
        self.replies[ref] = asyncio.get_running_loop().create_future()
        join_ref = self.client.get_current_subscriptions()[ROOM].join_ref
        message = make_message(event, ROOM, ref, payload, join_ref)
        await self.client.get_protocol_handler().send_message(self.client.connection, message)
        reply = await self.replies[ref]
        say("reply", reply["status"], text(reply["response"]))

    async def run(self):
        async with self.client:
            await self.client.subscribe_to_topic(ROOM, self.on_room)
            say("joined")
            try:
                await self.client.subscribe_to_topic("room:deny")
            except PHXTopicError as refusal:
                say("refused", refusal)
            await self.push("echo", {"n": 1})
            await self.push("echo_err", {"n": 1})
            await self.client.subscribe_to_topic(PEOPLE, self.on_people)
            await asyncio.to_thread(sys.stdin.read)  # until the end
            await self.client.unsubscribe_from_topic(ROOM)
            say("left")


asyncio.run(Program().run())
