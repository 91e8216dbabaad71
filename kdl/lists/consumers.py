"""Every consumer of lists, by the name that ``--for`` takes."""

from kdl.lists import ava, countix
from kdl.lists.consumer import Consumer
from kdl.lists.dali import DALI
from kdl.lists.frames import GLUONCV, SECO, TINYKINETICS, TSM
from kdl.lists.huggingface import HUGGINGFACE
from kdl.lists.mmaction2 import MMACTION2
from kdl.lists.paddlevideo import PADDLEVIDEO
from kdl.lists.pytorchvideo import PYTORCHVIDEO
from kdl.lists.slowfast import SLOWFAST, UNIFORMER
from kdl.lists.videomae import INTERNVIDEO, VIDEOMAE, VIDEOMAEV2

CONSUMERS: dict[str, Consumer] = {
    consumer.name: consumer
    for consumer in (
        MMACTION2,
        PADDLEVIDEO,
        VIDEOMAE,
        SLOWFAST,
        PYTORCHVIDEO,
        VIDEOMAEV2,
        INTERNVIDEO,
        UNIFORMER,
        GLUONCV,
        TSM,
        TINYKINETICS,
        SECO,
        DALI,
        HUGGINGFACE,
    )
}
USUAL: tuple[str, ...] = tuple(name for name, consumer in CONSUMERS.items() if consumer.usual)
"""Those whose lists every mirror run leaves."""
EXTRAS = (ava.NAME, countix.NAME)
"""Lists of what is annotated beside the classes: not of clips, but of what is in them."""
