"""What lists and links are made of: the sound clips, or what a recipe made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kdl.dataset.exclusion import Exclusion
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.planning import derived_folder
from kdl.jobs.run import Run
from kdl.ledger.clips import key_of
from kdl.lists.rows import Kind, ListContext, ListRow, Pictures
from kdl.media.cookbook import resolve_recipe
from kdl.media.recipe import Recipe

ORIGINALS = "videos"
"""How the clips themselves are called among recipes."""


@dataclass(frozen=True, slots=True)
class ListSource:
    """The clips of a mirror, or the derivatives of one recipe."""

    run: Run
    manifest: Manifest
    recipe: Recipe | None
    """``None`` for the clips themselves."""
    exclusion: Exclusion | None = None
    """Clips to be left out."""

    @property
    def name(self) -> str:
        return self.recipe.name if self.recipe else ORIGINALS

    @property
    def kind(self) -> Kind:
        return self.recipe.kind if self.recipe else "video"

    @property
    def media(self) -> Path:
        """Absolute; the splits' folders lie here."""
        paths = self.run.paths
        return (paths.derived / self.recipe.name if self.recipe else paths.videos).absolute()

    @property
    def keep_extension(self) -> bool:
        return self.recipe.keep_extension if self.recipe else True

    @property
    def pictures(self) -> Pictures:
        return Pictures(self.recipe.template, self.recipe.start) if self.recipe else Pictures()

    def require(self) -> None:
        """Raise UsageError if nothing was made by the recipe."""
        if self.recipe and not derived_folder(self.run.paths, None, self.recipe.name).is_dir():
            raise UsageError("nothing was made by this recipe yet", subject=self.recipe.name, fix=self.making)

    @property
    def making(self) -> str:
        """The command that makes it."""
        return self.run.command(*(("derive", "--recipe", self.recipe.name) if self.recipe else ("mirror",)))

    def context(self, out: Path, ids: Mapping[str, int] | None) -> ListContext:
        """What is the same for every line of lists that appear in ``out``."""
        return ListContext(
            out_dir=out,
            media_root=self.media,
            kind=self.kind,
            keep_extension=self.keep_extension,
            splits=self.manifest.split_names,
            labels=tuple(self.manifest.labels),
            dataset_prefix=self.manifest.list_prefix,
            label_ids=ids,
            pictures=self.pictures,
        )

    def rows(self, split: str) -> Iterator[ListRow]:
        """Sound clips that an annotation lists, or those that have the derivative, by class and name."""
        return self._rows("c.split = ?", (split,))

    def of_clip(self, clip_id: int) -> ListRow | None:
        """The clip of this id, or its derivative; ``None`` where that is not to be listed."""
        return next(self._rows("c.id = ?", (clip_id,)), None)

    def _rows(self, where: str, asked: tuple[str | int, ...]) -> Iterator[ListRow]:
        recipe = self.recipe
        key = "c.split, c.youtube_id, c.time_start, c.time_end"
        columns, join = f"{key}, c.label, c.class_dir, c.name, c.frames, c.path", ""
        parameters: tuple[str, ...] = ()
        if recipe is not None:
            columns = f"{key}, c.label, c.class_dir, c.name, d.frames, d.path"
            join = """JOIN derivatives AS d ON d.clip_id = c.id AND d.state = 'done' AND d.recipe = ?
                      AND d.fingerprint = ? AND d.clip_sha256 = c.sha256"""
            parameters = (recipe.name, recipe.fingerprint)
        sql = f"""SELECT {columns} FROM clips AS c {join}
                  WHERE {where} AND c.verdict IN ('ok', 'short') AND c.listed > 0 AND c.path IS NOT NULL
                  ORDER BY c.class_dir, c.name"""
        for row in self.run.ledger.rows(sql, (*parameters, *asked)):
            self.run.checkpoint()
            label = self.manifest.labels.find(row["class_dir"]) or row["label"] or row["class_dir"]
            name = row["path"].rpartition("/")[2] if self.kind == "video" else row["name"]
            excluded = self.exclusion is not None and self.exclusion.covers(key_of(row))
            yield ListRow(row["split"], label, row["class_dir"], name, row["frames"], excluded)


def listable_recipe(word: str, dataset: str) -> Recipe:
    """The recipe of that name. Raises UsageError if there is none, or if no list can name what it makes."""
    recipe = resolve_recipe(word)
    if not recipe.listable:
        raise UsageError(
            "readers of lists take videos and folders of pictures, and this recipe makes neither",
            subject=recipe.name,
            fix=f"kdl pack {dataset} --recipe {word}",
        )
    return recipe
