"""Hugging Face ``datasets``: VideoFolder with a ``metadata.jsonl`` a split.

Each line is an object whose ``file_name`` is a path below the folder of the metadata (the reader
refuses others since 5.0) and whose other keys become columns. Where there is such a file, examples
come from its lines alone. Without it the reader goes by the names of folders: a class such as
``training dog`` then counts as the split ``train``, wherever it lies. So every line has its own label.
"""

from kdl.lists.consumer import Anchor, Consumer, Form

HUGGINGFACE = Consumer(
    name="huggingface",
    anchor=Anchor.SPLIT,
    forms={
        "video": (
            Form("{split}/metadata.jsonl", "load_dataset('videofolder', data_dir='{lists}')", line=None),
        )
    },
    link="{split}/clips",
    below="clips/",
    own_folder=True,
)
