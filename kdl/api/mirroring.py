"""``mirror``, ``fetch`` and the plan of both."""

from __future__ import annotations

from kdl.api.asked import mirror_options
from kdl.api.calling import OnEvent, run_job
from kdl.api.choices import CUTS, HEIGHTS, SOURCES, VIDEOS, Hwaccel
from kdl.api.results import MirrorPlan
from kdl.api.torrents import DHT_ENTRY, DISCOVERIES, LISTEN_PORTS, read_torrent
from kdl.api.words import PathLike, Words, at_least, one_of, read_optional
from kdl.fetch.youtube_options import YoutubeOptions
from kdl.jobs.options import MirrorOptions
from kdl.settings import STALL_S, TRIES, VIDEO_HEIGHT, VIDEO_SLEEP_S, WATCHDOG_S
from kdl.values import RunSummary


async def mirror(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    splits: Words = (),
    classes: Words = (),
    shards: Words = (),
    limit: int | None = None,
    origins: Words = (),
    jobs: int = 4,
    limit_rate: int | str | None = None,
    connections_per_file: int = 1,
    tries: int = TRIES,
    stall_s: float = STALL_S,
    executor: str = "local",
    watchdog_s: float = WATCHDOG_S,
    spool: bool = True,
    keep_archives: bool = False,
    index: bool = True,
    index_file: PathLike | None = None,
    class_style: str | None = None,
    force: bool = False,
    strict: bool = False,
    workers: int | None = None,
    level: str = "probe",
    prober: str = "auto",
    recipes: Words = (),
    derived: PathLike | None = None,
    hwaccel: Hwaccel = "none",
    retry_failed: bool = False,
    source: str = "shards",
    fill_missing: bool = False,
    max_height: int = VIDEO_HEIGHT,
    cut: str = "exact",
    cookies: PathLike | None = None,
    sleep_s: float = VIDEO_SLEEP_S,
    youtube_jobs: int = 1,
    torrent: PathLike | None = None,
    listen_ports: str | int = LISTEN_PORTS,
    discovery: Words = DISCOVERIES,
    dht_entry: str = DHT_ENTRY,
    limit_upload: int | str | None = None,
    seed_ratio: float | None = None,
    seed_time: float | None = None,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Bring a dataset here and to the state asked for; what is there already is left alone.

    ``dataset`` is a name that ``kdl datasets`` shows, or a manifest file of one's own. The others are the
    command's options, told by ``kdl mirror --help``; ``limit_rate`` is bytes a second, a text like
    ``"50M"``, or a timetable. The summary's ``exit_code`` is the command's, and its ``extra`` has what
    ``kdl mirror --json`` prints.
    Raises KdlError for what keeps it from starting; what goes wrong later is among the findings.
    """
    options = mirror_options(
        dataset,
        "mirror",
        root=root,
        splits=splits,
        classes=classes,
        shards=shards,
        limit=limit,
        origins=origins,
        jobs=jobs,
        limit_rate=limit_rate,
        connections_per_file=connections_per_file,
        tries=tries,
        stall_s=stall_s,
        executor=executor,
        watchdog_s=watchdog_s,
        spool=spool,
        keep_archives=keep_archives,
        index=index,
        index_file=index_file,
        class_style=class_style,
        force=force,
        strict=strict,
        workers=workers,
        level=level,
        prober=prober,
        recipes=recipes,
        derived=derived,
        hwaccel=hwaccel,
        retry_failed=retry_failed,
        source=one_of("source", source, SOURCES),
        fill_missing=fill_missing,
        youtube=YoutubeOptions(
            max_height=at_least("max_height", max_height, *HEIGHTS),
            cut=one_of("cut", cut, CUTS),
            cookies=read_optional(cookies),
            sleep_s=at_least("sleep_s", sleep_s, 0.0),
            jobs=at_least("youtube_jobs", youtube_jobs, *VIDEOS),
        ),
        torrent=read_torrent(
            torrent=torrent,
            listen_ports=listen_ports,
            discovery=discovery,
            dht_entry=dht_entry,
            limit_upload=limit_upload,
            seed_ratio=seed_ratio,
            seed_time=seed_time,
        ),
        ledger=ledger,
    )
    return await _mirror(options, on_event)


async def fetch_only(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    splits: Words = (),
    classes: Words = (),
    shards: Words = (),
    limit: int | None = None,
    origins: Words = (),
    jobs: int = 4,
    limit_rate: int | str | None = None,
    connections_per_file: int = 1,
    tries: int = TRIES,
    stall_s: float = STALL_S,
    executor: str = "local",
    watchdog_s: float = WATCHDOG_S,
    spool: bool = True,
    keep_archives: bool = False,
    index: bool = True,
    index_file: PathLike | None = None,
    class_style: str | None = None,
    force: bool = False,
    strict: bool = False,
    torrent: PathLike | None = None,
    listen_ports: str | int = LISTEN_PORTS,
    discovery: Words = DISCOVERIES,
    dht_entry: str = DHT_ENTRY,
    limit_upload: int | str | None = None,
    seed_ratio: float | None = None,
    seed_time: float | None = None,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """``kdl fetch``: annotations, shards, clips with their hashes, and the replacements; nothing is probed.

    ``mirror`` goes on from there. Raises KdlError as it does.
    """
    options = mirror_options(
        dataset,
        "fetch",
        root=root,
        splits=splits,
        classes=classes,
        shards=shards,
        limit=limit,
        origins=origins,
        jobs=jobs,
        limit_rate=limit_rate,
        connections_per_file=connections_per_file,
        tries=tries,
        stall_s=stall_s,
        executor=executor,
        watchdog_s=watchdog_s,
        spool=spool,
        keep_archives=keep_archives,
        index=index,
        index_file=index_file,
        class_style=class_style,
        force=force,
        strict=strict,
        torrent=read_torrent(
            torrent=torrent,
            listen_ports=listen_ports,
            discovery=discovery,
            dht_entry=dht_entry,
            limit_upload=limit_upload,
            seed_ratio=seed_ratio,
            seed_time=seed_time,
        ),
        ledger=ledger,
        level="hash",
    )
    return await _mirror(options, on_event)


async def plan(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    splits: Words = (),
    classes: Words = (),
    shards: Words = (),
    limit: int | None = None,
    origins: Words = (),
    jobs: int = 4,
    tries: int = TRIES,
    stall_s: float = STALL_S,
    spool: bool = True,
    keep_archives: bool = False,
    force: bool = False,
    recipes: Words = (),
    derived: PathLike | None = None,
    retry_failed: bool = False,
    source: str = "shards",
    fill_missing: bool = False,
    sleep_s: float = VIDEO_SLEEP_S,
    youtube_jobs: int = 1,
    torrent: PathLike | None = None,
    listen_ports: str | int = LISTEN_PORTS,
    discovery: Words = DISCOVERIES,
    dht_entry: str = DHT_ENTRY,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> MirrorPlan:
    """``kdl mirror --dry-run``: what a run with these arguments would fetch, and the disk that it needs.

    Asks the host for lists and sizes; writes nothing. Raises KdlError.
    """
    options = mirror_options(
        dataset,
        "mirror",
        root=root,
        splits=splits,
        classes=classes,
        shards=shards,
        limit=limit,
        origins=origins,
        jobs=jobs,
        tries=tries,
        stall_s=stall_s,
        spool=spool,
        keep_archives=keep_archives,
        force=force,
        recipes=recipes,
        derived=derived,
        retry_failed=retry_failed,
        source=one_of("source", source, SOURCES),
        fill_missing=fill_missing,
        youtube=YoutubeOptions(
            sleep_s=at_least("sleep_s", sleep_s, 0.0),
            jobs=at_least("youtube_jobs", youtube_jobs, *VIDEOS),
        ),
        torrent=read_torrent(
            torrent=torrent,
            listen_ports=listen_ports,
            discovery=discovery,
            dht_entry=dht_entry,
        ),
        ledger=ledger,
    )
    from kdl.jobs.mirror_dry import dry_run

    told = await run_job(lambda bus: dry_run(options, bus.emit), on_event)
    return MirrorPlan.of(told, forced=force)


async def _mirror(options: MirrorOptions, on_event: OnEvent) -> RunSummary:
    from kdl.jobs.mirror import mirror as job

    return await run_job(lambda bus: job(options, bus), on_event)
