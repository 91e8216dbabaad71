"""What kdl offers to programs: a function a verb, its result as a frozen value. The command line is one.

``kdl`` has these names; :mod:`kdl.aio` has the functions to be awaited. docs/python.md tells them all.
"""

from kdl.api import annotating, asking, extras, keeping, making, manifests, mirroring
from kdl.api.calling import synchronous

mirror = synchronous(mirroring.mirror)
fetch_only = synchronous(mirroring.fetch_only)
plan = synchronous(mirroring.plan)
adopt = synchronous(keeping.adopt)
verify = synchronous(keeping.verify)
repair = synchronous(keeping.repair)
plan_repair = synchronous(keeping.plan_repair)
nightly = synchronous(keeping.nightly)
annotated = synchronous(extras.annotated)
derive = synchronous(making.derive)
pack = synchronous(making.pack)
write_lists = synchronous(making.write_lists)
export = making.export
write_report = synchronous(making.write_report)
describe_annotations = synchronous(annotating.describe_annotations)
compare_annotations = synchronous(annotating.compare_annotations)
overlap = synchronous(annotating.overlap)
status = asking.status
show = asking.show
watch = asking.watch
datasets = asking.datasets
config = asking.config
doctor = asking.doctor
demo = synchronous(asking.demo)
init_manifest = synchronous(manifests.init_manifest)
