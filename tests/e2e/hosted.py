"""A dataset on a server that keeps a log: what a run asked for, and what stands on disk after it."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tests.e2e.running import Ran, clips, kdl, tree
from tests.replica.nginx import Asked, Nginx

_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")


@dataclass(frozen=True)
class Hosted:
    """A dataset with its server."""

    dataset: str
    """As the command line names it."""
    name: str
    """Its folder's under a root."""
    server: Nginx
    bucket: Path
    """The folder that is served."""
    mirrored: Path | None = None

    def run(self, verb: str, root: Path, *arguments: object, **environment: str) -> Ran:
        """``kdl verb`` on it in ``root``, from its server where the verb needs one."""
        origin = ("--origin", self.server.url) if verb in ("mirror", "fetch") else ()
        return kdl(verb, self.dataset, "--root", root, *origin, *arguments, **environment)

    def mirror(self, root: Path, *arguments: object, **environment: str) -> Ran:
        return self.run("mirror", root, "--json", *arguments, **environment)

    def copy(self, root: Path) -> Path:
        """The finished mirror once more under ``root``, hard links and times kept; its folder."""
        assert self.mirrored is not None
        root.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", self.mirrored / self.name, root], check=True)
        return root / self.name

    def mark(self) -> int:
        """A point in the log, for :meth:`fetched`."""
        return len(self.server.asked())

    def fetched(self, mark: int = 0) -> list[str]:
        """File names of the archives asked for by GET since ``mark``, sorted."""
        return sorted(_name(row) for row in self._since(mark) if row.method == "GET" and _is_archive(row))

    def headed(self, mark: int = 0) -> list[str]:
        """The same of HEAD requests."""
        return sorted(_name(row) for row in self._since(mark) if row.method == "HEAD" and _is_archive(row))

    def _since(self, mark: int) -> list[Asked]:
        return self.server.asked()[mark:]

    def refuse_partial_files(self, root: Path) -> None:
        """Fail unless whatever stands under a final name is whole, as some archive has it."""
        hosted = set()
        for archive in self.bucket.rglob("*.t*gz"):
            with tarfile.open(archive) as tar:
                for member in tar:
                    if file := tar.extractfile(member) if member.isreg() else None:
                        hosted.add((Path(member.name).name, hashlib.sha256(file.read()).hexdigest()))
        found = tree(root / self.name).items()
        placed = {(Path(name).name, sha) for name, sha in found if name.startswith(("videos", "unlisted"))}
        assert placed <= hosted

    def seen(self, root: Path) -> tuple[dict[str, str], dict[tuple[str, str], dict[str, str]]]:
        """All that two mirrors of the same data must agree on: the files and the exported rows.

        VideoMAE's lists are left out, as they hold the root's own path.
        """
        files = {
            name: digest
            for name, digest in tree(root / self.name).items()
            if not name.startswith("lists/videomae")
        }
        return files, clips(self.dataset, root)


def _is_archive(row: Asked) -> bool:
    return row.key.endswith(_ARCHIVES)


def _name(row: Asked) -> str:
    return unquote(row.key).rpartition("/")[2]
