"""The parts of pods and Jobs that are held in memory.

Those that have ended stay for ten minutes or more, and whole, a few thousand of
them take more memory than everything else in this process.
"""

from sympozium.contract.resources import Object
from sympozium.kube.informer import without_managed_fields
from sympozium_local.controllers.pods import is_true


def held_pod(pod: Object) -> Object:
    """Return *pod* without its spec, which no controller asks for."""
    return {name: part for name, part in without_managed_fields(pod).items() if name != "spec"}


def held_job(job: Object) -> Object:
    """Return a finished Job without its pod template, of which nothing is made any more.

    Its status may still be written: of that the server takes the status alone.
    """
    without_managed_fields(job)
    if not (is_true(job, "Complete") or is_true(job, "Failed")):
        return job
    return job | {"spec": {name: job["spec"][name] for name in job["spec"] if name != "template"}}
