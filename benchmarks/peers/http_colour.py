"""A colour behind an HTTP proxy that is measured beside the router: answers every POST with its name.

`python http_colour.py PORT NAME`
"""

from __future__ import annotations

import asyncio
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
    """One connection, kept alive."""
    body = f'{{"reason":"{name}"}}'.encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            _, _, rest = head.partition(b"content-length:")
            if rest:
                await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
            writer.write(reply + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port: int, name: str) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(lambda r, w: serve(r, w, name), "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
