"""A run that is killed loses next to nothing of what had come."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hostile import Act, HostileOrigin

from kdl.fetch.transfer import Fetcher
from kdl.settings import MIB

CHILD = """
import asyncio, sys
from pathlib import Path
from kdl.fetch.origins import Origins
from kdl.fetch.transfer import Fetcher

async def main(url, folder):
    async with Fetcher(Origins({}), emit=lambda event: None) as fetcher:
        async with fetcher.transfer(url, name="a.tar", kind="shard", spool_dir=Path(folder)) as transfer:
            async for _ in transfer:
                print(transfer.received, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_sigkill_costs_a_mebibyte_at_most(
    origin: HostileOrigin, fetcher_of: Callable[..., Fetcher], data: bytes, tmp_path: Path
) -> None:
    whole, sent = data * 4, 5_000_000
    url = origin.put("a.tar", whole, Act(stall_after=sent), s3=True)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, url, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    # The child goes on until all is in its spool but what a chunk still lacks, and waits there.
    while int(await child.stdout.readline()) < sent - MIB:
        pass
    child.kill()
    await child.wait()
    [part] = tmp_path.iterdir()
    held = part.read_bytes()
    assert sent - MIB <= len(held) <= sent
    assert whole.startswith(held)

    async with fetcher_of() as fetcher:
        expect = replace(await fetcher.stat(url), s3=False)
        origin.requests.clear()
        async with fetcher.transfer(
            url, name="a.tar", kind="shard", spool_dir=tmp_path, expect=expect
        ) as transfer:
            assert transfer.stat == replace(expect, s3=True)
            assert b"".join([chunk async for chunk in transfer]) == whole
    assert (transfer.resumed, transfer.fetched) == (len(held), len(whole) - len(held))
    [request] = origin.requests
    assert request.range_start == len(held)
    assert request.headers["if-range"] == expect.etag
