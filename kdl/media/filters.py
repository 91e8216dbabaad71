"""What a recipe does to a clip's pictures, as a chain of libavfilter's filters."""

from __future__ import annotations

from dataclasses import dataclass

from kdl.media.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter and its options, unescaped."""

    name: str
    options: tuple[tuple[str, str | int], ...] = ()

    @property
    def arguments(self) -> str:
        """As libavfilter parses them."""
        return ":".join(f"{key}={value}" for key, value in self.options)


def chain(recipe: Recipe, frames: int | None = None) -> list[Filter]:
    """From upright pictures as decoded to those that are encoded.

    ``frames`` is how many the clip has; recipes that spread their pictures need it.
    """
    steps = []
    if recipe.drop_duplicates:
        steps.append(Filter("mpdecimate"))
    if recipe.spread and recipe.count is not None and frames:
        steps.append(_spread(recipe.count, frames))
    if recipe.fps is not None:
        steps.append(Filter("fps", (("fps", recipe.fps),)))
    steps += _scale(recipe)
    if recipe.count is not None:
        steps.append(Filter("tpad", (("stop", -1), ("stop_mode", "clone"))))
        steps.append(Filter("trim", (("end_frame", recipe.count),)))
    steps.append(Filter("format", (("pix_fmts", pixel_format(recipe)),)))
    return steps


def pixel_format(recipe: Recipe) -> str:
    """The pixels that the recipe's encoder is handed, in libav's words; ``yuvj``: the full range."""
    if recipe.kind == "video":
        return recipe.pixel_format
    if recipe.kind == "flow":
        return "gray"
    if recipe.format == "png":
        return "yuvj444p"
    return "yuvj420p" if recipe.format == "webp" else recipe.pixel_format.replace("yuv", "yuvj")


def upright(clockwise: int) -> list[Filter]:
    """Turns pictures that are to be shown turned by ``clockwise`` degrees: 0, 90, 180 or 270."""
    if clockwise == 180:
        return [Filter("hflip"), Filter("vflip")]
    ways = {90: "clock", 270: "cclock"}
    return [Filter("transpose", (("dir", ways[clockwise]),))] if clockwise in ways else []


def _spread(count: int, frames: int) -> Filter:
    """Keeps the frame in the middle of each of ``count`` equal parts of ``frames``.

    Frame n is one of them if a whole i lies in [n * count / frames - 1/2, (n + 1) * count / frames - 1/2).
    """
    edge = f"ceil((2*%s*{count}-{frames})/{2 * frames})"
    return Filter("select", (("expr", f"gt({edge % '(n+1)'},{edge % 'n'})"),))


def _scale(recipe: Recipe) -> list[Filter]:
    if recipe.size is not None:
        width, height = recipe.size
        return [Filter("scale", (("w", width), ("h", height), *_kernel(recipe)))]
    if recipe.short_side is not None:
        side = recipe.short_side
        wide, high = f"if(gt(iw,ih),-2,{side})", f"if(gt(iw,ih),{side},-2)"
        return [Filter("scale", (("w", wide), ("h", high), *_kernel(recipe)))]
    if recipe.kind == "video":  # 4:2:0 has even sides only
        return [Filter("scale", (("w", "ceil(iw/2)*2"), ("h", "ceil(ih/2)*2")))]
    return []


def _kernel(recipe: Recipe) -> tuple[tuple[str, str | int], ...]:
    """Videos: libav's own, bicubic. Pictures: averages over areas; quicker, and as free of aliasing."""
    return () if recipe.kind == "video" else (("flags", "area"),)
