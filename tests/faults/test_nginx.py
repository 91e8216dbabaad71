"""Against a real server: a transfer that is cancelled half-way goes on by range, and ends the same."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kdl.fetch.transfer import Fetcher

CONFIG = """
daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    server {{ listen 127.0.0.1:{port}; root {root}/files; }}
}}
"""


@pytest.fixture
async def nginx(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """(base URL, folder served)."""
    root = tmp_path / "nginx"
    (root / "files").mkdir(parents=True)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    (root / "nginx.conf").write_text(CONFIG.format(root=root, port=port))
    server = await asyncio.create_subprocess_exec(
        "nginx", "-c", root / "nginx.conf", "-e", root / "error.log"
    )
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                assert server.returncode is None, (root / "error.log").read_text()
                await asyncio.sleep(0.01)
            else:
                writer.close()
                break
        yield f"http://127.0.0.1:{port}", root / "files"
    finally:
        server.terminate()
        await server.wait()


async def test_resume_by_range(
    nginx: tuple[str, Path], fetcher_of: Callable[..., Fetcher], data: bytes, tmp_path: Path
) -> None:
    base, files = nginx
    whole = data * 6
    name = "mountain climber (exercise).tar.gz"
    (files / name).write_bytes(whole)
    url, spool = f"{base}/mountain%20climber%20%28exercise%29.tar.gz", tmp_path / "spool"

    async def run(fetcher: Fetcher, half: asyncio.Event) -> None:
        async with fetcher.transfer(url, name=name, kind="shard", spool_dir=spool) as transfer:
            async for _ in transfer:
                if transfer.received > len(whole) // 2:
                    half.set()
                    await asyncio.sleep(3600)

    async with fetcher_of() as fetcher:
        half = asyncio.Event()
        task = asyncio.create_task(run(fetcher, half))
        await half.wait()
        task.cancel()
        await asyncio.wait([task])
        [part] = spool.iterdir()
        held = part.stat().st_size
        assert len(whole) // 2 < held < len(whole)

        async with fetcher.transfer(url, name=name, kind="shard", spool_dir=spool) as transfer:
            assert b"".join([chunk async for chunk in transfer]) == whole
        assert (transfer.resumed, transfer.fetched) == (held, len(whole) - held)

        (files / name).write_bytes(whole[::-1])
        os.utime(files / name, (1_500_000_000, 1_500_000_000))  # nginx's ETag is made of time and size
        async with fetcher.transfer(url, name=name, kind="shard", spool_dir=spool) as transfer:
            assert b"".join([chunk async for chunk in transfer]) == whole[::-1]
        assert transfer.resumed == 0
        stat = await fetcher.stat(url)
    assert (stat.size, stat.s3) == (len(whole), False)
    assert stat.strong_etag
