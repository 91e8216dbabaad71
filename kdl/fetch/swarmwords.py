"""Why a torrent gives nothing, in plain words and with what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdl.errors import RetryCause, TransientError
from kdl.fetch.torrentoptions import TorrentOptions

_ELSEWHERE = "or take another copy of the data: `kdl datasets` lists them"


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is seen of a torrent that nothing comes from."""

    url: str
    stall_s: float
    """For so many seconds."""
    peers: Sequence[Mapping[str, Any]]
    """As aria2's ``getPeers`` gives them."""
    missing: int
    """The pieces that are wanted and not here, as bits: the last piece is worth 1, times ``2 ** pad``."""
    trackers: Mapping[str, str]
    """By host, what those say that refuse."""
    spoilt: bool = False
    """Pieces came whose hash is wrong."""


def quiet_error(quiet: Quiet, options: TorrentOptions) -> TransientError:
    """The error to tell of it."""
    words, fix, cause = _reason(quiet, options)
    words = f"nothing came for {quiet.stall_s:g} s: {words}"
    return TransientError(words, subject=quiet.url, fix=fix, cause=cause)


def _reason(quiet: Quiet, options: TorrentOptions) -> tuple[str, str, RetryCause]:
    count = len(quiet.peers)
    if not count and quiet.spoilt:
        words = "the peers sent pieces that do not match their hashes; these were dropped, and the peers too"
        return words, f"run the same again when other peers are there, {_ELSEWHERE}", RetryCause.MISMATCH
    if not count:
        return _alone(quiet, options)
    peers = f"the {count} peers that are connected" if count > 1 else "the only peer that is connected"
    held = 0
    for peer in quiet.peers:
        held |= int(peer.get("bitfield") or "0", 16)
    wanted, had = quiet.missing.bit_count(), (quiet.missing & held).bit_count()
    if had < wanted:
        have = "have" if count > 1 else "has"
        words = f"{peers} {have} {had} of the {wanted} pieces that are missing"
        return words, f"run the same again when more peers are there, {_ELSEWHERE}", RetryCause.STALL
    if quiet.spoilt:
        words = f"{peers} sent pieces that do not match their hashes, and these were dropped"
        return words, f"run the same again when other peers are there, {_ELSEWHERE}", RetryCause.MISMATCH
    if all(peer.get("peerChoking") == "true" for peer in quiet.peers):
        serves = "serve" if count > 1 else "serves"
        words = f"{peers} {serves} others before us"
        fix = "wait longer with --stall; they prefer peers that give: do not keep --limit-upload low"
        return words, fix, RetryCause.STALL
    send = "send" if count > 1 else "sends"
    return f"{peers} {send} nothing", f"wait longer with --stall, {_ELSEWHERE}", RetryCause.STALL


def _alone(quiet: Quiet, options: TorrentOptions) -> tuple[str, str, RetryCause]:
    words = "no peer was found"
    if quiet.trackers:
        told = "; ".join(f"{host}: {said}" for host, said in sorted(quiet.trackers.items()))
        words += f" (trackers: {told})"
    elsewhere = "" if options.dht else " with dht in --discovery,"
    fix = (
        f"let TCP and UDP ports {options.listen} through the firewall,{elsewhere} "
        f"wait longer with --stall, {_ELSEWHERE}"
    )
    return words, fix, RetryCause.STALL
